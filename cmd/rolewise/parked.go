package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/google/uuid"
	"github.com/spf13/cobra"

	"rolewise/readmodels"
)

func parkedCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "parked",
		Short: "See the events that projections could not apply, and replay or discard them",
		Long: "See the events that projections could not apply, and replay or discard them.\n\n" +
			"An event that a projection cannot apply is parked with all that follow in its stream; other streams go on.\n" +
			"When the cause is repaired, replay applies them where they belong. Discard gives them up in the read model: the\n" +
			"log keeps them, and replay takes them back.",
	}
	sub := ofBuilds(cmd)
	sub("list [NAME[@BUILD]]", "List the streams that wait, of every build or of one", 1, (*console).parked)
	sub("show NAME[@BUILD] STREAM", "Show what waits of a stream, why, and what was discarded", 2, (*console).showParked)
	for _, discard := range []bool{false, true} {
		use, short := "replay", "Apply what waits of streams where it belongs, and wait for the outcome"
		if discard {
			use, short = "discard", "Give up what waits of streams; what comes after it is applied again"
		}
		c := sub(use+" NAME[@BUILD] STREAM…", short, many, func(o *console, cmd *cobra.Command, args []string) error {
			return o.order(cmd, args, discard)
		})
		c.Flags().Bool("all", false, "every stream that waits")
		c.Flags().Duration("timeout", time.Minute, "how long to wait for the outcome")
	}
	return cmd
}

// spot is a stream that waits, or was discarded, in one partition of a build.
type spot struct {
	Scope     string                      `json:"scope"`
	Parked    *readmodels.ParkedStream    `json:"parked,omitempty"`
	Discarded *readmodels.DiscardedStream `json:"discarded,omitempty"`
	scope     readmodels.Scope
}

func (s spot) stream() string {
	if s.Parked != nil {
		return s.Parked.Stream
	}
	return s.Discarded.Stream
}

// spots lists what waits and what was discarded of a build. A stream of the catalog may do so in several partitions.
func (o *console) spots(projection string, build readmodels.Build) (all []spot, err error) {
	for partition := range o.parts.Count() {
		scope := readmodels.Scope{Projection: projection, Partition: partition}.Of(build)
		waiting, err := readmodels.Parked(o.ctx, o.models, scope)
		if err != nil {
			return nil, err
		}
		given, err := readmodels.Discarded(o.ctx, o.models, scope)
		if err != nil {
			return nil, err
		}
		found := map[string]*spot{}
		at := func(stream string) *spot {
			if found[stream] == nil {
				found[stream] = &spot{Scope: scope.String(), scope: scope}
			}
			return found[stream]
		}
		for _, one := range waiting {
			at(one.Stream).Parked = &one
		}
		for _, one := range given {
			at(one.Stream).Discarded = &one
		}
		for _, stream := range slices.Sorted(maps.Keys(found)) {
			all = append(all, *found[stream])
		}
	}
	return all, nil
}

func (o *console) parked(_ *cobra.Command, args []string) error {
	chosen := map[string][]readmodels.Build{}
	if len(args) == 0 {
		for name, b := range o.builds {
			chosen[name] = b.All()
		}
	} else {
		projection, build, err := o.find(args[0])
		if err != nil {
			return err
		}
		if chosen[projection] = o.builds[projection].All(); build != nil {
			chosen[projection] = []readmodels.Build{*build}
		}
	}
	table := tabwriter.NewWriter(o.out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "BUILD\tSTREAM\tEVENTS\tSINCE\tTYPE\tWHY")
	for _, name := range slices.Sorted(maps.Keys(chosen)) {
		for _, build := range chosen[name] {
			spots, err := o.spots(name, build)
			if err != nil {
				return err
			}
			for _, one := range spots {
				if p := one.Parked; p != nil {
					fmt.Fprintf(table, "%s\t%s\t%d\t%s\t%s\t%s\n", one.Scope, p.Stream, p.Count, p.First.Position, p.First.Type, p.Error)
				}
			}
		}
	}
	return table.Flush()
}

// chosen takes a build, the live one if none is named, and the names of streams.
func (o *console) chosen(args []string) (projection string, build readmodels.Build, streams []string, err error) {
	projection, named, err := o.one(args)
	if err != nil {
		return "", build, nil, err
	}
	if build = o.builds[projection].Live; named != nil {
		build = *named
	}
	return projection, build, args[1:], nil
}

func (o *console) showParked(_ *cobra.Command, args []string) error {
	projection, build, streams, err := o.chosen(args)
	if err != nil {
		return err
	}
	spots, err := o.spots(projection, build)
	if err != nil {
		return err
	}
	spots = slices.DeleteFunc(spots, func(one spot) bool { return len(streams) != 1 || one.stream() != streams[0] })
	if len(spots) == 0 {
		return fmt.Errorf("no such stream waits in %s@%s; rolewise parked list names those that do", projection, build)
	}
	encoder := json.NewEncoder(o.out)
	encoder.SetIndent("", "  ")
	return encoder.Encode(spots)
}

// order asks those who project to replay or discard streams, and waits for the outcome.
func (o *console) order(cmd *cobra.Command, args []string, discard bool) error {
	all, _ := cmd.Flags().GetBool("all")
	timeout, _ := cmd.Flags().GetDuration("timeout")
	projection, build, streams, err := o.chosen(args)
	if err != nil {
		return err
	}
	if all == (len(streams) > 0) {
		return errors.New("name the streams, or give --all")
	}
	if slices.Contains(o.builds[projection].Paused, build) {
		return fmt.Errorf("%s@%s is paused: resume it first", projection, build)
	}
	spots, err := o.spots(projection, build)
	if err != nil {
		return err
	}
	orders, err := orders(spots, build, streams, discard)
	if err != nil || len(orders) == 0 {
		if err == nil {
			o.printf("Nothing waits.\n")
		}
		return err
	}
	err = o.change(projection, func(b *readmodels.Builds) error {
		if !slices.Contains(b.All(), build) {
			return fmt.Errorf("%s@%s was given up meanwhile", projection, build)
		}
		b.Orders = slices.DeleteFunc(b.Orders, func(one readmodels.Order) bool { return one.Done && time.Since(one.Given) > time.Hour })
		b.Orders = append(b.Orders, orders...)
		return nil
	})
	if err != nil {
		return err
	}
	return o.outcome(projection, orders, timeout)
}

// orders makes one order for each partition in which some of the streams wait.
func orders(spots []spot, build readmodels.Build, streams []string, discard bool) ([]readmodels.Order, error) {
	byPartition := map[int]*readmodels.Order{}
	found := map[string]bool{}
	for _, one := range spots {
		name := one.stream()
		named := slices.Contains(streams, name)
		if !named && (len(streams) > 0 || one.Parked == nil) || named && discard && one.Parked == nil {
			continue
		}
		found[name] = true
		partition := one.scope.Partition
		if byPartition[partition] == nil {
			byPartition[partition] = &readmodels.Order{
				ID: uuid.Must(uuid.NewV7()).String(), Discard: discard, Build: build, Partition: partition, Given: time.Now().UTC(),
			}
		}
		ordered := readmodels.Ordered{Stream: name}
		if one.Parked != nil {
			ordered.First = one.Parked.First.Position
		}
		byPartition[partition].Streams = append(byPartition[partition].Streams, ordered)
	}
	for _, name := range streams {
		if !found[name] {
			return nil, errors.New("one of the streams does not wait there; rolewise parked list names those that do")
		}
	}
	var all []readmodels.Order
	for _, partition := range slices.Sorted(maps.Keys(byPartition)) {
		all = append(all, *byPartition[partition])
	}
	return all, nil
}

// outcome waits until orders are carried out, and says what became of them.
func (o *console) outcome(projection string, orders []readmodels.Order, timeout time.Duration) error {
	ours := func(one readmodels.Order) bool {
		return slices.ContainsFunc(orders, func(given readmodels.Order) bool { return given.ID == one.ID })
	}
	for begun := time.Now(); ; {
		var done []readmodels.Order
		err := o.change(projection, func(b *readmodels.Builds) error {
			done = nil
			if !slices.ContainsFunc(b.Orders, ours) {
				return fmt.Errorf("%s@%s was given up meanwhile, and with it what waited there", projection, orders[0].Build)
			}
			for _, one := range b.Orders {
				if ours(one) && one.Done {
					done = append(done, one)
				}
			}
			if len(done) == len(orders) {
				b.Orders = slices.DeleteFunc(b.Orders, ours)
			}
			return nil
		})
		switch {
		case err != nil:
			return err
		case len(done) == len(orders):
			return o.report(done)
		case time.Since(begun) > timeout:
			return fmt.Errorf("no process has done it within %s; it is done as soon as one that projects %s runs", timeout, projection)
		}
		if err := o.rest(between); err != nil {
			return err
		}
	}
}

// report says what became of orders; an error if anything still waits.
func (o *console) report(done []readmodels.Order) error {
	var failures []string
	for _, one := range done {
		for _, stream := range one.Streams {
			switch {
			case one.Error != "":
			case slices.Contains(one.Still, stream.Stream):
				failures = append(failures, stream.Stream+" still waits")
			case one.Discard:
				o.printf("%s is discarded.\n", stream.Stream)
			default:
				o.printf("%s is applied.\n", stream.Stream)
			}
		}
		if one.Error != "" {
			failures = append(failures, one.Error)
		}
	}
	if len(failures) > 0 {
		return errors.New(strings.Join(failures, "; "))
	}
	return nil
}
