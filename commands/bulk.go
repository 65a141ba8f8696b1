package commands

import (
	"errors"
	"strings"

	"golang.org/x/sync/errgroup"

	"rolewise/domain"
	"rolewise/domain/assignment"
	"rolewise/eventstore"
)

const (
	maxItems    = 10_000 // of one bulk command
	bulkWriters = 64     // items appended at the same time, so that the store commits them in groups
)

// bulkItem is one member or team of a bulk command: where it stands in the body, and what became of it.
type bulkItem struct {
	Item
	pointer string
	holder  assignment.Holder
	answer  Answer
	refusal *domain.Error
	first   *bulkItem // the item that names the same holder before this one; nil: none
}

// bulk is the body of a command for many holders: they are all alike.
type bulk AssignRole

func (c bulk) notify() bool { return c.Notify == nil || *c.Notify }

// bulk carries out the same command for many holders (SPEC ASG-5). In mode atomic every item is decided before anything
// is appended. Then what is to be done is written down, and from there on it is done to the end, by this process or by
// another one that finds it unfinished.
//
// That is not a transaction over streams: another command may come between the deciding and the appending of an item,
// which is then decided once more by itself, and what refuses it then stands in the answer.
func (w *work) bulk(c bulk, build func(assignment.Holder) assignment.Command) (Answer, error) {
	w.several = true
	items, err := w.bulkItems(c)
	if err != nil {
		return Answer{}, err
	}
	if c.Mode == Atomic && !w.found {
		trial := *w
		trial.req.DryRun = true
		if err := trial.each(items, build); err != nil {
			return Answer{}, err
		}
		if err := refusals(items); err != nil {
			return Answer{}, err
		}
	}
	if !w.req.DryRun {
		if err := w.accept(c); err != nil {
			return Answer{}, err
		}
	}
	if err := w.each(items, build); err != nil {
		return Answer{}, err
	}
	return w.sum(items)
}

func (w *work) bulkItems(c bulk) ([]*bulkItem, error) {
	n := len(c.Members) + len(c.Teams)
	switch {
	case c.Mode != "" && c.Mode != Partial && c.Mode != Atomic:
		return nil, domain.Invalidf("/mode", "invalid_mode", "must be partial or atomic")
	case n == 0:
		return nil, domain.Invalidf("/members", "required", "name at least one member or team")
	case n > maxItems:
		return nil, domain.Invalidf("/members", "too_many", "at most %d members and teams in one command", maxItems)
	case n > 1 && w.req.IfMatch != nil:
		return nil, domain.Invalidf("", "if_match_on_bulk", "If-Match fits a single item only: each item has a revision of its own")
	}
	items := make([]*bulkItem, 0, n)
	named := make(map[assignment.Holder]*bulkItem, n)
	add := func(item Item, pointer string, holder assignment.Holder) {
		i := &bulkItem{Item: item, pointer: pointer, holder: holder, first: named[holder]}
		if i.first == nil {
			named[holder] = i
		}
		items = append(items, i)
	}
	for i, id := range c.Members {
		add(Item{Member: string(id)}, domain.ItemPointer("/members", i), assignment.Holder{Member: id})
	}
	for i, id := range c.Teams {
		add(Item{Team: string(id)}, domain.ItemPointer("/teams", i), assignment.Holder{Team: id})
	}
	return items, nil
}

// each decides all items. A holder named twice counts once: the second time nothing changes, or it is refused alike.
func (w *work) each(items []*bulkItem, build func(assignment.Holder) assignment.Command) error {
	tree, err := w.Teams(w.ctx, w.req.Plan)
	if err != nil {
		return err
	}
	group, ctx := errgroup.WithContext(w.ctx)
	group.SetLimit(bulkWriters)
	for _, item := range items {
		if item.first != nil {
			continue
		}
		group.Go(func() error {
			one := *w
			one.ctx = ctx
			return item.decide(&one, tree.Has(item.holder.Team), build)
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	for _, item := range items {
		if item.first != nil {
			item.conclude(Answer{}, item.first.refusal)
		}
	}
	return nil
}

func (i *bulkItem) decide(w *work, teamExists bool, build func(assignment.Holder) assignment.Command) error {
	holder, id := i.holder, string(i.holder.Team)
	holder.Exists = teamExists
	if holder.Team == "" {
		id = string(holder.Member)
		exists, err := w.memberExists(holder.Member)
		if err != nil {
			return err
		}
		holder.Exists = exists
	}
	one := func(assignment.State) (assignment.Command, error) {
		c := build(holder)
		if _, gives := c.(assignment.Assign); gives && holder.Team == "" {
			_, err := w.memberActs(holder.Member)
			return c, err
		}
		return c, nil
	}
	answer, err := decide(w, assignments, id, one)
	for w.accepted && domain.CodeOf(err) == "concurrent_change" { // what was accepted does not give up
		answer, err = decide(w, assignments, id, one)
	}
	if err == nil && len(answer.Events) > 0 && strings.HasPrefix(answer.Events[0], "Team") != (holder.Team != "") {
		// A member and a team named by one id share a stream, and there is only one of the two: this is the other's event.
		answer = Answer{}
		_, err = assignments.decider.Decide(assignments.decider.Initial(), build(holder))
	}
	var refusal *domain.Error
	if err != nil && !errors.As(err, &refusal) {
		return err
	}
	i.conclude(answer, refusal)
	return nil
}

func (i *bulkItem) conclude(answer Answer, refusal *domain.Error) {
	i.answer, i.refusal = answer, nil
	switch {
	case refusal != nil:
		i.refusal = refusal.At(i.pointer)
		i.Status, i.Code, i.Detail = "refused", refusal.Code, refusal.Message
	case len(answer.Events) == 0:
		i.Status = "unchanged"
	default:
		i.Status = "done"
	}
}

// refusals joins what refuses an atomic command.
func refusals(items []*bulkItem) error {
	var all []error
	for _, item := range items {
		if item.refusal != nil {
			all = append(all, item.refusal)
		}
	}
	return errors.Join(all...)
}

// sum answers for all items. Stream, revision and position are those of the item that this command appended last; if it
// changed nothing, of the unchanged item that stands last. What others appended meanwhile is not this command's.
func (w *work) sum(items []*bulkItem) (Answer, error) {
	total := Answer{Events: []string{}}
	var last eventstore.Position
	for _, item := range items {
		total.Items = append(total.Items, item.Item)
		total.Events = append(total.Events, item.answer.Events...)
	}
	for _, item := range items {
		if item.answer.Position == "" || (len(total.Events) > 0 && len(item.answer.Events) == 0) {
			continue
		}
		position, err := eventstore.ParsePosition(item.answer.Position)
		if err != nil {
			return Answer{}, err
		}
		if position >= last {
			last = position
			total.Stream, total.Revision = item.answer.Stream, item.answer.Revision
		}
	}
	if last == 0 {
		info, err := w.store.Info(w.ctx)
		if err != nil {
			return Answer{}, err
		}
		last = info.Head
		total.Stream, total.Revision = w.own().String(), -1
	}
	total.Position = last.String()
	return total, nil
}
