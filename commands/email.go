package commands

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"

	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"

	"rolewise/domain"
	"rolewise/domain/member"
	"rolewise/domain/reservation"
)

// emailStream names the stream that reserves an address: a keyed hash of it, case-folded and normalised (SPEC MEM-1).
func (h *Handler) emailStream(planID domain.PlanID, email string) string {
	mac := hmac.New(sha256.New, h.emailKey)
	mac.Write([]byte(string(planID) + "\x00" + sameEmail(email)))
	return hex.EncodeToString(mac.Sum(nil))
}

// sameEmail maps all spellings of one address to one text.
func sameEmail(email string) string {
	return norm.NFKC.String(cases.Fold().String(norm.NFKC.String(email)))
}

// reserveEmail makes the address the member's, or refuses if another has it. The member takes it into use by the next
// event of their stream, which has events up to now, or never.
func (w *work) reserveEmail(email string, owner domain.MemberID, events int) error {
	return w.onEmail(email, func(s reservation.State) (reservation.Command, error) {
		reserve := reservation.Reserve{Owner: reservation.Owner(owner), Events: events}
		if s.Owner == "" || s.Owner == reserve.Owner {
			return reserve, nil
		}
		var err error
		reserve.Free, err = w.settle(s, email)
		return reserve, err
	})
}

// releaseEmail gives an address back that the member does not use any more. If that fails, or never comes to pass, the
// next who wants the address finds out by itself.
func (w *work) releaseEmail(email string, owner domain.MemberID) error {
	state, err := w.Member(w.ctx, w.req.Plan, owner)
	if err != nil || uses(state, email) {
		return err
	}
	return w.onEmail(email, func(reservation.State) (reservation.Command, error) {
		return reservation.Release{Owner: reservation.Owner(owner), Events: state.Events}, nil
	})
}

// uses tells whether an address is a member's.
func uses(s member.State, email string) bool {
	return s.Present() && sameEmail(s.Email) == sameEmail(email)
}

// patience is how often settle looks again for what may be about to happen: 130 ms on average.
const patience = 20

// settle finds out whether the owner of a reservation uses the address. While the owner's stream has no more events than
// at the reservation, the one that takes the address into use may be on its way: then another event is put in its place,
// so that it fails instead of taking the address a second time (DESIGN rule 14). Waiting before that decides nothing: it
// spares what is on its way.
func (w *work) settle(reserved reservation.State, email string) (free bool, err error) {
	state, err := w.decided(domain.MemberID(reserved.Owner), reserved.Events)
	return !uses(state, email), err
}

// decided returns a member's state after what was decided on a number of events of theirs, come it or not.
func (w *work) decided(id domain.MemberID, events int) (member.State, error) {
	for attempt := range patience {
		state, err := w.Member(w.ctx, w.req.Plan, id)
		if err != nil || state.Events > events {
			return state, err
		}
		if err := w.pause(attempt); err != nil {
			return state, err
		}
	}
	_, err := decide(w.side(), members, string(id), func(s member.State) (member.Command, error) {
		if !s.Exists {
			return member.Abandon{Member: id}, nil
		}
		return member.AbandonChange{Member: id, Events: events}, nil
	})
	var refusal *domain.Error
	if err != nil && !errors.As(err, &refusal) {
		return member.State{}, err
	}
	return w.Member(w.ctx, w.req.Plan, id)
}

func (w *work) onEmail(email string, build func(reservation.State) (reservation.Command, error)) error {
	_, err := decide(w.side(), emails, w.emailStream(w.req.Plan, email), build)
	return err
}

// emailFree refuses an address that another member uses, without writing anything.
func (w *work) emailFree(email string, owner domain.MemberID) error {
	at, err := load(w.ctx, w.Handler, emails, w.req.Plan, w.emailStream(w.req.Plan, email))
	if err != nil || at.state.Owner == "" || at.state.Owner == reservation.Owner(owner) {
		return err
	}
	state, err := w.Member(w.ctx, w.req.Plan, domain.MemberID(at.state.Owner))
	if err != nil || !uses(state, email) {
		return err
	}
	_, err = reservation.Emails.Decide(at.state, reservation.Reserve{Owner: reservation.Owner(owner)})
	return err
}
