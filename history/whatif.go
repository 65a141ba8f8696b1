// Package history answers about what is not now: so far, what would be if a draft were published.
package history

import (
	"context"
	"slices"
	"strings"

	"rolewise/domain"
	"rolewise/domain/role"
	"rolewise/domain/roleiq"
	"rolewise/projections"
	"rolewise/readmodels"
)

// Publication is what publishing a draft would do to those who hold the role (SPEC ROL-8).
type Publication struct {
	Role       string   `json:"role"`
	Version    int      `json:"version"` // that the draft would become
	OnPublish  string   `json:"on_publish"`
	Members    int      `json:"members"`    // who hold the role
	Rise       int      `json:"rise"`       // would reach a higher level, or one at all
	Fall       int      `json:"fall"`       // would have a lower level
	Incomplete int      `json:"incomplete"` // completed the role, and would have not any more
	Changes    []Change `json:"changes"`    // whose, by name
	Next       string   `json:"-"`          // cursor; empty at the end
}

// Change is a member whose level or completion would be another.
type Change struct {
	Member string `json:"member"`
	Name   string `json:"name"`
	Change string `json:"change" enum:"rise,fall,incomplete"`
	From   Stand  `json:"from"`
	To     Stand  `json:"to"`
}

// Stand is a member's state and level in the role.
type Stand struct {
	State string  `json:"state"`
	Level *string `json:"level"`
}

// Publish imagines a version over the read model of progress, with the rules of the projection itself and without a
// commit. It reads the members who hold the role, and nothing else of the plan. Under the policy on_visit a version
// counts for a member from their next visit on, and so changes nothing at once.
func Publish(ctx context.Context, q *readmodels.Queries, plan string, e role.RolePublished, want readmodels.Want) (Publication, readmodels.Checkpoint, error) {
	var imagined []projections.Imagined
	at, err := q.Look(ctx, readmodels.Progress, plan, want.Min, func(r readmodels.Reader) error {
		var err error
		imagined, err = projections.Imagine(ctx, r, plan, e)
		return err
	})
	if err != nil {
		return Publication{}, at, err
	}
	out := Publication{Role: string(e.Role), Version: e.Version, OnPublish: string(e.OnPublish), Members: len(imagined), Changes: []Change{}}
	type listed struct {
		entry  string
		change Change
	}
	var all []listed
	last := ""
	for _, one := range imagined {
		change := kind(one.Before, one.After)
		switch change {
		case "":
			continue
		case rise:
			out.Rise++
		case fall:
			out.Fall++
		case incomplete:
			out.Incomplete++
		}
		all = append(all, listed{
			readmodels.EntryOf(readmodels.Fold(one.Name), one.Member),
			Change{one.Member, one.Name, change, stand(one.Before), stand(one.After)},
		})
	}
	slices.SortFunc(all, func(a, b listed) int { return strings.Compare(a.entry, b.entry) })
	for _, one := range all {
		if one.entry <= want.After {
			continue
		}
		if len(out.Changes) == want.Limit {
			out.Next = last
			break
		}
		out.Changes, last = append(out.Changes, one.change), one.entry
	}
	return out, at, nil
}

// Unchanged is the answer for a draft that is what is in force already.
func Unchanged(ctx context.Context, q *readmodels.Queries, plan string, role domain.RoleID, version int, want readmodels.Want) (Publication, readmodels.Checkpoint, error) {
	out := Publication{Role: string(role), Version: version, Changes: []Change{}}
	at, err := q.Look(ctx, readmodels.Progress, plan, want.Min, func(r readmodels.Reader) error {
		holders, err := r.Entries(ctx, readmodels.Progress, readmodels.Index{Plan: plan, Name: readmodels.IndexOf(readmodels.HolderIndex, string(role))}, readmodels.Range{})
		out.Members = len(holders)
		return err
	})
	return out, at, err
}

const (
	rise       = "rise"
	fall       = "fall"
	incomplete = "incomplete"
)

// kind says what becomes of a member's level; empty: nothing.
func kind(before, after projections.Judgement) string {
	was, is := rank(before), rank(after)
	switch {
	case is > was:
		return rise
	case is == was:
		return ""
	case is == 0:
		return incomplete
	}
	return fall
}

// rank orders levels; 0 where the role is not completed.
func rank(j projections.Judgement) int {
	if j.State != string(roleiq.Completed) {
		return 0
	}
	return 1 + slices.Index([]roleiq.Level{roleiq.Beginner, roleiq.Entry, roleiq.Mid, roleiq.Senior}, roleiq.Level(j.Level))
}

func stand(j projections.Judgement) Stand { return Stand{j.State, readmodels.Optional(j.Level)} }
