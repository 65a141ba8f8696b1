package commands_test

import (
	"fmt"
	"os"
	"testing"

	"rolewise/commands"
	"rolewise/domain"
	"rolewise/domain/events"
	"rolewise/domain/member"
	"rolewise/domain/plan"
	"rolewise/domain/reservation"
	"rolewise/domain/seats"
	"rolewise/eventstore"
)

const racers = 32 // requests at the same time

// raceRounds is how often they race.
func raceRounds() int {
	if os.Getenv("ROLEWISE_TORTURE") != "" {
		return 1000
	}
	return 8
}

// witness folds the log of one plan event by event, in the order of commits, and knows what must hold after each. It
// shares nothing with the deciders.
type witness struct {
	testing.TB
	owner, licence, inactive map[domain.MemberID]bool
	told                     map[domain.MemberID]bool // by the seats
	owners                   int
	email                    map[domain.MemberID]string
	users                    map[string]int             // of an address; the races use one spelling
	reserved                 map[string]domain.MemberID // by stream
	licences                 int                        // as the plan was told; fewer never take one away
	through                  eventstore.Position
}

func newWitness(t testing.TB) *witness {
	flags := func() map[domain.MemberID]bool { return map[domain.MemberID]bool{} }
	return &witness{
		TB: t, owner: flags(), licence: flags(), inactive: flags(), told: flags(),
		email: map[domain.MemberID]string{}, users: map[string]int{}, reserved: map[string]domain.MemberID{},
	}
}

// read takes in what came since, and reports the first illegal state.
func (w *witness) read(r *rig, planID domain.PlanID) {
	w.Helper()
	for _, recorded := range r.events(w.through) {
		w.through = recorded.Position
		if recorded.Stream.Plan != string(planID) {
			continue
		}
		meta, err := eventstore.DecodeMetadata(recorded.Metadata)
		if err != nil {
			w.Fatal(err)
		}
		event, err := events.All.Decode(recorded.Type, meta.Schema, recorded.Data)
		if err != nil {
			w.Fatal(err)
		}
		if wrong := w.apply(recorded.Stream.ID, event); wrong != "" {
			w.Fatalf("after %s of %s at %s: %s", recorded.Type, recorded.Stream, recorded.Position, wrong)
		}
	}
	held := map[domain.MemberID]bool{}
	for _, id := range w.reserved {
		held[id] = true
	}
	for id := range w.email {
		if !held[id] {
			w.Fatalf("the address of %s is reserved for nobody", id)
		}
	}
}

// apply returns what is illegal after an event, or "".
func (w *witness) apply(stream string, event any) string {
	switch e := event.(type) {
	case plan.PlanLicencesSet:
		w.licences = e.Licences
	case reservation.Reserved:
		w.reserved[stream] = domain.MemberID(e.Owner)
	case reservation.Released:
		delete(w.reserved, stream)
	case member.MemberInvited:
		if e.AccessRole == member.Owner && !w.told[e.Member] {
			w.own(e.Member, true)
		}
		return w.address(e.Member, e.Email)
	case member.MemberEmailChanged:
		return w.address(e.Member, e.Email)
	case member.MemberDeactivated:
		w.inactive[e.Member] = true
		return w.seated(e.Member)
	case member.MemberReactivated:
		w.inactive[e.Member] = false
	case member.MemberRemoved:
		w.inactive[e.Member] = true
		w.users[w.email[e.Member]]--
		delete(w.email, e.Member)
		return w.seated(e.Member)
	case seats.OwnerGranted:
		w.own(e.Member, true)
		w.told[e.Member] = true
		return w.seated(e.Member)
	case seats.OwnerWithdrawn:
		w.own(e.Member, false)
		w.told[e.Member] = true
		return w.seated(e.Member)
	case seats.ContentAccessGranted:
		w.licence[e.Member] = true
		return w.seated(e.Member)
	case seats.ContentAccessWithdrawn:
		delete(w.licence, e.Member)
	case seats.MemberSeatsClosed:
		w.own(e.Member, false)
		w.told[e.Member] = true
		delete(w.licence, e.Member)
		return w.seated(e.Member)
	}
	return ""
}

func (w *witness) own(id domain.MemberID, owner bool) {
	switch {
	case owner && !w.owner[id]:
		w.owners++
	case !owner && w.owner[id]:
		w.owners--
	}
	w.owner[id] = owner
}

func (w *witness) address(id domain.MemberID, email string) string {
	w.users[w.email[id]]--
	w.email[id] = email
	if w.users[email]++; w.users[email] > 1 {
		return "two members have the address " + email
	}
	return ""
}

func (w *witness) seated(id domain.MemberID) string {
	switch {
	case w.owners == 0:
		return "nobody is owner"
	case w.inactive[id] && w.owner[id]:
		return "an owner is deactivated or removed"
	case w.inactive[id] && w.licence[id]:
		return "somebody deactivated or removed has content access"
	case len(w.licence) > w.licences:
		return fmt.Sprintf("%d of %d licences are granted", len(w.licence), w.licences)
	}
	return ""
}

// race sends commands at the same time through two processes, and returns how many were carried out. Refusals must be
// of the codes expected.
func (r *rig) race(planID domain.PlanID, all []commands.Command, codes ...string) int {
	r.Helper()
	handlers := []*commands.Handler{handlerOn(r.store), r.handler}
	answers, errs := parallel(len(all), func(i int) (commands.Answer, error) {
		req := request(planID, all[i], "")
		if i%3 == 0 {
			req.Key = newID()
		}
		return handlers[i%2].Handle(r.Context(), req, all[i])
	})
	done := 0
	for i, err := range errs {
		switch code := domain.CodeOf(err); {
		case err == nil && len(answers[i].Events) > 0:
			done++
		case err == nil:
		default:
			expected := false
			for _, one := range append(codes, "concurrent_change", "member_not_found", "member_inactive", "member_leaving") {
				expected = expected || one == code
			}
			if !expected {
				r.Errorf("%s: %v", all[i].About().Name, err)
			}
		}
	}
	return done
}

func TestRaceForAnAddress(t *testing.T) {
	base := newRig(t)
	base.tiny("race", 0)
	w := newWitness(t)
	t.Run("MEM-1 invitations and changes of address", func(t *testing.T) {
		r := base.on(t, base.store)
		for round := range raceRounds() {
			email := fmt.Sprintf("round%d@example.org", round)
			var all []commands.Command
			for i := range racers {
				if i%2 == 0 {
					all = append(all, commands.InviteMember{Name: "Racer", Email: email})
				} else {
					all = append(all, commands.ChangeMemberProfile{Member: r.invite("race", ""), Email: &email})
				}
			}
			if done := r.race("race", all, "email_taken", "invitation_abandoned"); done != 1 {
				t.Fatalf("round %d: %d winners", round, done)
			}
			w.read(r, "race")
		}
	})
	t.Run("MEM-1 two addresses and who changes between them", func(t *testing.T) {
		r := base.on(t, base.store)
		for round := range raceRounds() {
			var all []commands.Command
			ids := []domain.MemberID{r.invite("race", ""), r.invite("race", ""), r.invite("race", "")}
			for i := range racers {
				email := fmt.Sprintf("%d.%d@example.org", round, i/3%2)
				all = append(all, commands.ChangeMemberProfile{Member: ids[i%3], Email: &email})
			}
			r.race("race", all, "email_taken")
			w.read(r, "race")
		}
	})
}

func TestRaceForTheLastOwner(t *testing.T) {
	base := newRig(t)
	t.Run("ACC-1 withdrawn, deactivated, removed and granted", func(t *testing.T) {
		r := base.on(t, base.store)
		for round := range raceRounds() {
			planID := domain.PlanID(fmt.Sprintf("race-%d", round))
			owners := []domain.MemberID{r.tiny(planID, 1), r.invite(planID, "owner"), r.invite(planID, "owner"), r.invite(planID, "")}
			var all []commands.Command
			for i := range racers {
				id := owners[i%len(owners)]
				switch (i/len(owners) + round) % 5 {
				case 0:
					all = append(all, commands.WithdrawAccessRole{Member: id, AccessRole: "owner"})
				case 1:
					all = append(all, commands.DeactivateMember{Member: id})
				case 2:
					all = append(all, commands.RemoveMember{Member: id})
				case 3:
					all = append(all, commands.GrantAccessRole{Member: id, AccessRole: "owner"})
				case 4:
					all = append(all, commands.ReactivateMember{Member: id})
				}
			}
			r.race(planID, all, "last_owner")
			newWitness(t).read(r, planID)
		}
	})
	t.Run("ACC-1 as many withdrawals as owners, and one stays", func(t *testing.T) {
		r := base.on(t, base.store)
		for round := range raceRounds() {
			planID := domain.PlanID(fmt.Sprintf("stay-%d", round))
			owners := []domain.MemberID{r.tiny(planID, 1)}
			for len(owners) < 4 {
				owners = append(owners, r.invite(planID, "owner"))
			}
			var all []commands.Command
			for i := range racers {
				all = append(all, commands.WithdrawAccessRole{Member: owners[i%4], AccessRole: "owner"})
			}
			if done := r.race(planID, all, "last_owner"); done != 3 {
				t.Fatalf("round %d: %d of 4 owners were withdrawn", round, done)
			}
			newWitness(t).read(r, planID)
		}
	})
}

func TestRaceForTheLastLicence(t *testing.T) {
	base := newRig(t)
	base.tiny("race", 0)
	w := newWitness(t)
	t.Run("ACC-3 one licence left", func(t *testing.T) {
		r := base.on(t, base.store)
		ids := make([]domain.MemberID, racers)
		for i := range ids {
			ids[i] = r.invite("race", "")
		}
		r.do("", commands.SetPlanLicences{Plan: "race", Licences: 1})
		for round := range raceRounds() {
			var all []commands.Command
			for _, id := range ids {
				all = append(all, commands.GrantContentAccess{Member: id})
			}
			if done := r.race("race", all, "no_licence_left"); done != 1 {
				t.Fatalf("round %d: %d winners", round, done)
			}
			w.read(r, "race")
			for id := range w.licence {
				r.do("race", commands.WithdrawContentAccess{Member: id})
			}
		}
	})
	t.Run("ACC-3 granted, given back, and their holders leaving", func(t *testing.T) {
		r := base.on(t, base.store)
		r.do("", commands.SetPlanLicences{Plan: "race", Licences: 3})
		for round := range raceRounds() {
			ids := make([]domain.MemberID, 6)
			for i := range ids {
				ids[i] = r.invite("race", "")
			}
			var all []commands.Command
			for i := range racers {
				id := ids[i%len(ids)]
				switch (i/len(ids) + round) % 5 {
				case 0, 3:
					all = append(all, commands.GrantContentAccess{Member: id})
				case 1:
					all = append(all, commands.DeactivateMember{Member: id})
				case 2:
					all = append(all, commands.ReactivateMember{Member: id})
				case 4:
					all = append(all, commands.WithdrawContentAccess{Member: id})
				}
			}
			r.race("race", all, "no_licence_left")
			w.read(r, "race")
			for id := range w.licence {
				r.do("race", commands.RemoveMember{Member: id})
			}
		}
		w.read(r, "race")
	})
}
