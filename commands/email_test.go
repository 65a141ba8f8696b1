package commands_test

import (
	"strings"
	"testing"

	"pgregory.net/rapid"

	"rolewise/commands"
	"rolewise/domain"
	"rolewise/domain/member"
	"rolewise/domain/reservation"
	"rolewise/eventstore"
)

// wide writes the letters of an address in their full-width forms, which NFKC takes for the same.
func wide(email string) string {
	return strings.Map(func(r rune) rune {
		if r > ' ' && r <= '~' && r != '@' {
			return r + 0xfee0
		}
		return r
	}, email)
}

// holders returns the members that have an address, by their events, and who holds its reservation.
func (r *rig) holders(planID domain.PlanID, matches func(email string) bool) (invited []domain.MemberID, reserved domain.MemberID) {
	r.Helper()
	owners := map[domain.MemberID]bool{}
	for _, e := range r.events(0) {
		if e.Stream.Plan != string(planID) {
			continue
		}
		meta, err := eventstore.DecodeMetadata(e.Metadata)
		if err != nil {
			r.Fatal(err)
		}
		switch e.Stream.Category {
		case member.Category:
			value, err := member.Events.Decode(e.Type, meta.Schema, e.Data)
			if err != nil {
				r.Fatal(err)
			}
			if m, ok := value.(member.MemberInvited); ok && matches(m.Email) {
				invited = append(invited, m.Member)
				owners[m.Member] = true
			}
		case reservation.EmailCategory:
			value, err := reservation.Events.Decode(e.Type, meta.Schema, e.Data)
			if err != nil {
				r.Fatal(err)
			}
			if v, ok := value.(reservation.Reserved); ok {
				reserved = domain.MemberID(v.Owner)
			}
		}
	}
	return invited, reserved
}

func TestEmailIsUnique(t *testing.T) {
	r := newRig(t)
	f := r.fixture("acme")
	spellings := []string{"straße.ÅNGSTRÖM@example.org", "STRASSE.ångström@EXAMPLE.org", "strasse.A\u030angstro\u0308m@example.org", wide("STRASSE") + ".\u212bngström@Example.Org"}
	t.Run("MEM-1 many invitations of one address at the same time", func(t *testing.T) {
		r := r.on(t, r.store)
		const requests = 32
		handlers := []*commands.Handler{handlerOn(r.store), handlerOn(r.store)}
		ids := make([]domain.MemberID, requests)
		answers, errs := parallel(requests, func(i int) (commands.Answer, error) {
			c := commands.InviteMember{Name: "Åsa", Email: spellings[i%len(spellings)]}
			if i%2 == 0 {
				ids[i] = domain.MemberID(newID())
				c.Member = ids[i]
			}
			req := request("acme", c, "")
			if i%3 == 0 {
				req.Key = newID()
			}
			return handlers[i%2].Handle(t.Context(), req, c)
		})
		winner := domain.MemberID("")
		for i, err := range errs {
			switch {
			case err == nil && winner != "":
				t.Errorf("two winners: %s and %s", winner, answers[i].ID)
			case err == nil:
				winner = domain.MemberID(answers[i].ID)
			case domain.CodeOf(err) != "email_taken" && domain.CodeOf(err) != "invitation_abandoned":
				t.Error(err)
			}
		}
		invited, reserved := r.holders("acme", func(email string) bool { return strings.HasSuffix(strings.ToLower(email), "m@example.org") })
		if winner == "" || len(invited) != 1 || invited[0] != winner || reserved != winner {
			t.Errorf("winner %q, invited %v, reserved for %q", winner, invited, reserved)
		}
		burned := 0
		for i, id := range ids {
			if id == "" || id == winner {
				continue
			}
			c := commands.InviteMember{Member: id, Name: "Åsa", Email: string(id) + "@example.org"}
			_, err := r.handler.Handle(t.Context(), request("acme", c, ""), c)
			switch {
			case domain.CodeOf(errs[i]) == "email_taken" && err != nil && domain.CodeOf(err) != "invitation_abandoned":
				t.Errorf("the id of a loser: %v", err)
			case err != nil:
				burned++
			}
		}
		t.Logf("%d ids of losers cannot be used any more", burned)
	})
	t.Run("MEM-1 the id of a refused invitation stays free", func(t *testing.T) {
		r := r.on(t, r.store)
		id := domain.MemberID(newID())
		taken := commands.InviteMember{Member: id, Name: "Ada", Email: strings.ToUpper(f.email)}
		r.refused(request("acme", taken, ""), taken, domain.Conflict, "email_taken", "/email")
		r.refused(request("acme", taken, "key"), taken, domain.Conflict, "email_taken", "/email")
		free := commands.InviteMember{Member: id, Name: "Ada", Email: "other." + f.email}
		if answer := r.handle(request("acme", free, "key"), free); answer.ID != string(id) {
			t.Errorf("answer %+v", answer)
		}
	})
	t.Run("MEM-1 the address of a refused invitation stays free", func(t *testing.T) {
		r := r.on(t, r.store)
		c := commands.InviteMember{Member: f.member, Name: "New", Email: "new@example.org"}
		r.refused(request("acme", c, ""), c, domain.Conflict, "member_exists", "/member")
		c.Member = ""
		r.do("acme", c)
	})
	t.Run("MEM-1 one address in two plans", func(t *testing.T) {
		r := r.on(t, r.store)
		if answer := r.do("acme-ops", commands.InviteMember{Name: "Ada", Email: f.email}); len(answer.Events) != 1 {
			t.Errorf("answer %+v", answer)
		}
	})
	t.Run("MEM-1 an id that another invitation takes in between", func(t *testing.T) {
		id, before := domain.MemberID(newID()), r.head()
		h := &hooked{Store: r.store}
		h.append = first("member", func() {
			r.do("acme", commands.InviteMember{Member: id, Name: "Quick", Email: "quick@example.org"})
		})
		c := commands.InviteMember{Member: id, Name: "Slow", Email: "slow@example.org"}
		if _, err := r.on(t, h).handler.Handle(t.Context(), request("acme", c, ""), c); domain.CodeOf(err) != "member_exists" {
			t.Error(err)
		}
		equal(t, "events", r.types(before), []string{"Reserved", "Reserved", "MemberInvited", "Released"})
		before = r.head()
		r.on(t, r.store).do("acme", commands.InviteMember{Name: "Slow", Email: "Slow@Example.org"})
		equal(t, "events", r.types(before), []string{"Reserved", "MemberInvited"})
	})
	t.Run("MEM-1 the address of a new plan's owner, taken in between", func(t *testing.T) {
		h := &hooked{Store: r.store}
		h.append = first("email", func() {
			r.do("taken", commands.InviteMember{Name: "Quick", Email: "owner@example.org"})
		})
		c := commands.CreatePlan{Plan: "taken", Name: "Taken", Tier: "starter", OwnerName: "Olga", OwnerEmail: "Owner@example.org"}
		for range 2 { // the plan is there, and the key goes on standing for its creation
			if _, err := r.on(t, h).handler.Handle(t.Context(), request("", c, "taken"), c); domain.CodeOf(err) != "email_taken" || !strings.Contains(err.Error(), "/owner_email") {
				t.Error(err)
			}
		}
	})
	t.Run("MEM-1 an id that the same invitation takes in between", func(t *testing.T) {
		c := commands.InviteMember{Member: domain.MemberID(newID()), Name: "Twice", Email: "twice@example.org"}
		h := &hooked{Store: r.store}
		h.append = first("member", func() { r.do("acme", c) })
		if _, err := r.on(t, h).handler.Handle(t.Context(), request("acme", c, ""), c); domain.CodeOf(err) != "member_exists" {
			t.Error(err)
		}
		other := commands.InviteMember{Name: "Other", Email: "twice@example.org"} // still the winner's
		r.on(t, r.store).refused(request("acme", other, ""), other, domain.Conflict, "email_taken", "/email")
	})
}

func TestOrphanedReservation(t *testing.T) {
	r := newRig(t)
	r.fixture("acme")
	second := commands.InviteMember{Name: "Second", Email: "ORPHAN@example.org"}
	tests := []struct {
		name, key string
		id        domain.MemberID
		code      string // of the first invitation, when it goes on
	}{
		{"without an id", "", "", "email_taken"},
		{"with an id", "", domain.MemberID(newID()), "invitation_abandoned"},
		{"without an id, keyed", "k1", "", "email_taken"},
		{"with an id, keyed", "k2", domain.MemberID(newID()), "invitation_abandoned"},
	}
	for _, tt := range tests {
		first, second := commands.InviteMember{Member: tt.id, Name: "First", Email: "orphan@example.org"}, second
		first.Email, second.Email = tt.name+first.Email, strings.ToUpper(tt.name)+second.Email
		first.Email, second.Email = strings.ReplaceAll(first.Email, " ", ""), strings.ReplaceAll(second.Email, " ", "")
		t.Run("MEM-1 a crash after the reservation, "+tt.name, func(t *testing.T) {
			r := r.on(t, r.store)
			crash, crashKey := first, ""
			if tt.key != "" {
				crashKey = tt.key + " crash"
			}
			crash.Email = "crash" + first.Email
			h := &hooked{Store: r.store}
			h.append = func(stream eventstore.StreamID) {
				if stream.Category == "member" {
					panic("crash")
				}
			}
			func() {
				defer func() { _ = recover() }()
				_, err := r.on(t, h).handler.Handle(t.Context(), request("acme", crash, crashKey), crash)
				t.Errorf("it went on: %v", err)
			}()
			next := second
			next.Email = "CRASH" + second.Email
			before := r.head()
			once := r.handle(request("acme", next, ""), next)
			equal(t, "events", r.types(before), []string{"MemberInvitationAbandoned", "Reserved", "MemberInvited"})
			if tt.key != "" { // the client that saw the crash repeats its request
				_, err := r.handler.Handle(t.Context(), request("acme", crash, crashKey), crash)
				if domain.CodeOf(err) != tt.code {
					t.Errorf("the repeat of the crashed invitation: %v, want %s", err, tt.code)
				}
			}
			invited, _ := r.holders("acme", func(email string) bool { return strings.EqualFold(email, crash.Email) })
			equal(t, "members with the address", invited, []domain.MemberID{domain.MemberID(once.ID)})
		})
		t.Run("MEM-1 a late invitation fails, "+tt.name, func(t *testing.T) {
			r, h := r.on(t, r.store), &hooked{Store: r.store}
			late, next := first, second
			if tt.id != "" {
				late.Member = domain.MemberID(newID())
			}
			var once commands.Answer
			held := false
			h.append = func(stream eventstore.StreamID) {
				if stream.Category == "member" && !held {
					held = true
					once = r.do("acme", next)
				}
			}
			_, err := r.on(t, h).handler.Handle(t.Context(), request("acme", late, tt.key), late)
			if domain.CodeOf(err) != tt.code {
				t.Errorf("the late invitation: %v, want %s", err, tt.code)
			}
			invited, reserved := r.holders("acme", func(email string) bool { return strings.EqualFold(email, late.Email) })
			if len(invited) != 1 || string(invited[0]) != once.ID || string(reserved) != once.ID {
				t.Errorf("invited %v, reserved for %s, want %s", invited, reserved, once.ID)
			}
			if tt.key != "" { // refused, so not remembered
				late.Email, late.Member = "corrected"+late.Email, ""
				r.handle(request("acme", late, tt.key), late)
			}
		})
	}
}

// Every way to write an address is taken once one of them is.
func TestEmailProperty(t *testing.T) {
	r := newRig(t)
	r.fixture("acme")
	letters := []rune("abcxyzåéßıſŠİςσΣﬁⅨkK_+-'äöÄÖ𝓐①")
	rapid.Check(t, func(t *rapid.T) {
		local := newID()[24:] + string(rapid.SliceOfN(rapid.SampledFrom(letters), 1, 12).Draw(t, "local"))
		email := local + "@example.org"
		c := commands.InviteMember{Name: "Ada", Email: email}
		if _, err := r.handler.Handle(r.Context(), request("acme", c, ""), c); err != nil {
			t.Fatalf("MEM-1 %q: %v", email, err)
		}
		for _, spelling := range []string{email, strings.ToUpper(email), strings.ToLower(email), wide(email), strings.ToUpper(wide(email))} {
			if foldsDifferently(local) && spelling != email && spelling != wide(email) {
				continue
			}
			c.Email = spelling
			req := request("acme", c, "")
			req.DryRun = true
			if _, err := r.handler.Handle(r.Context(), req, c); domain.CodeOf(err) != "email_taken" {
				t.Fatalf("MEM-1 %q beside %q: %v", spelling, email, err)
			}
		}
	})
}

// foldsDifferently names letters whose upper or lower case is another letter by the tables of Unicode, such as the
// dotless i, whose upper case is I, while its case folding is itself.
func foldsDifferently(local string) bool { return strings.ContainsAny(local, "ıİ") }
