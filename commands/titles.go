package commands

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"slices"
	"strings"

	"rolewise/domain"
	"rolewise/domain/reservation"
	"rolewise/domain/role"
	"rolewise/eventstore"
)

// The title of a live role of a plan is reserved by a stream of its own (DESIGN rule 14). Two streams cannot be written
// at once, so this holds:
//
//   - Before the event that gives a role a title, the title is reserved for the role, after the role's stream was read:
//     each time with a new event, so that whoever has looked at the reservation before has to look again.
//   - A reservation counts as long as its owner's stream has the title. If it has not, an event is appended to that
//     stream at the revision at which it was looked at. If the owner was about to take the title, it fails at that, and
//     reserves anew.
//   - After the event that ends a role's use of a title, the reservation is released, at the revision that it had
//     before: if the role has been given the title again meanwhile, nothing happens. A crash before that leaves a
//     reservation that the rule above settles.

// held is a reservation as it was before a command.
type held struct {
	stream   string
	revision eventstore.Revision
}

// titled carries out a command on a role that may change which titles it has.
func (w *work) titled(id domain.RoleID, build func(role.State) (role.Command, error)) (Answer, error) {
	var lost []held
	answer, err := decide(w, roles, string(id), func(s role.State) (role.Command, error) {
		c, err := build(s)
		if err != nil {
			return nil, err
		}
		events, err := role.Decider.Decide(s, c)
		if err != nil || len(events) == 0 {
			return c, err
		}
		next := s
		for _, event := range events {
			next = role.Decider.Evolve(next, event)
		}
		if lost, err = w.losing(s, next); err != nil {
			return nil, err
		}
		return c, w.gain(id, s, next)
	})
	if err == nil && !w.req.DryRun {
		for _, h := range lost {
			w.releaseTitle(h, id)
		}
	}
	return answer, err
}

// losing returns the reservations of the titles that a role gives up.
func (w *work) losing(now, next role.State) ([]held, error) {
	var lost []held
	for _, title := range now.Titles() {
		if hasTitle(next, title) {
			continue
		}
		at, err := load(w.ctx, w.Handler, titles, w.req.Plan, w.titleStream(w.req.Plan, title))
		if err != nil {
			return nil, err
		}
		lost = append(lost, held{w.titleStream(w.req.Plan, title), at.revision})
	}
	return lost, nil
}

// gain reserves the titles that a role is given, once all of them look free: what is refused then appends nothing.
func (w *work) gain(id domain.RoleID, now, next role.State) error {
	var gained []string
	for _, title := range next.Titles() {
		if hasTitle(now, title) {
			continue
		}
		if err := w.titleFree(title, id); err != nil {
			return err
		}
		gained = append(gained, title)
	}
	if len(gained) == 0 || w.req.DryRun {
		return nil
	}
	// Claimed before a title is reserved: of two requests under one key the second would find it taken.
	if err := w.claimFor(eventstore.StreamID{Category: role.Category, Plan: string(w.req.Plan), ID: string(id)}); err != nil {
		return err
	}
	for _, title := range gained {
		if err := w.reserveTitle(title, id); err != nil {
			return err
		}
	}
	return nil
}

// titleStream names the stream that reserves a title.
func (h *Handler) titleStream(planID domain.PlanID, title string) string {
	mac := hmac.New(sha256.New, h.emailKey)
	mac.Write([]byte("title\x00" + string(planID) + "\x00" + sameTitle(title)))
	return hex.EncodeToString(mac.Sum(nil))
}

// sameTitle maps all spellings of one title to one text: case, forms of letters and runs of blanks do not tell titles
// apart.
func sameTitle(title string) string { return strings.Join(strings.Fields(sameEmail(title)), " ") }

func hasTitle(s role.State, title string) bool {
	return slices.ContainsFunc(s.Titles(), func(one string) bool { return sameTitle(one) == sameTitle(title) })
}

// reserveTitle makes the title the role's, or refuses if another live role has it.
func (w *work) reserveTitle(title string, id domain.RoleID) error {
	_, err := decide(w.side(), titles, w.titleStream(w.req.Plan, title), func(s reservation.State) (reservation.Command, error) {
		owner := reservation.Owner(id)
		if s.Owner == "" || s.Owner == owner {
			return reservation.Reserve{Owner: owner}, nil
		}
		free, err := w.settleTitle(domain.RoleID(s.Owner), title)
		return reservation.Reserve{Owner: owner, Free: free}, err
	})
	return err
}

var errHasTitle = errors.New("the role has the title")

// settleTitle finds out whether the owner of a reservation has the title. If not, whatever is about to give it the title
// fails from now on. Waiting before that decides nothing: it spares commands under way.
func (w *work) settleTitle(owner domain.RoleID, title string) (free bool, err error) {
	for attempt := range patience {
		at, err := load(w.ctx, w.Handler, roles, w.req.Plan, string(owner))
		if err != nil || hasTitle(at.state, title) {
			return false, err
		}
		if err := w.pause(attempt); err != nil {
			return false, err
		}
	}
	_, err = decide(w.side(), roles, string(owner), func(s role.State) (role.Command, error) {
		if hasTitle(s, title) {
			return nil, errHasTitle
		}
		return role.YieldTitle{Role: owner}, nil
	})
	if errors.Is(err, errHasTitle) {
		return false, nil
	}
	return err == nil, err
}

// releaseTitle ends a reservation if it is as it was before the command. What fails here is no failure of the command,
// which has happened: the reservation is settled by whoever asks for the title next.
func (w *work) releaseTitle(h held, id domain.RoleID) {
	at, err := load(w.ctx, w.Handler, titles, w.req.Plan, h.stream)
	if err != nil || at.revision != h.revision {
		return
	}
	events, err := reservation.Titles.Decide(at.state, reservation.Release{Owner: reservation.Owner(id)})
	if err != nil || len(events) == 0 {
		return
	}
	stream := eventstore.StreamID{Category: titles.category, Plan: string(w.req.Plan), ID: h.stream}
	_, _ = appendEvents(w.side(), titles, stream, at, events)
}

// titleFree refuses a title that another live role has at the moment.
func (w *work) titleFree(title string, id domain.RoleID) error {
	at, err := load(w.ctx, w.Handler, titles, w.req.Plan, w.titleStream(w.req.Plan, title))
	if err != nil || at.state.Owner == "" || at.state.Owner == reservation.Owner(id) {
		return err
	}
	owner, err := load(w.ctx, w.Handler, roles, w.req.Plan, string(at.state.Owner))
	if err != nil || !hasTitle(owner.state, title) {
		return err
	}
	_, err = reservation.Titles.Decide(at.state, reservation.Reserve{Owner: reservation.Owner(id)})
	return err
}
