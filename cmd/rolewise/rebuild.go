package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"rolewise/eventstore"
	"rolewise/readmodels"
)

// between is the time between two looks at where a build stands.
const between = 500 * time.Millisecond

// status shows each partition of the builds, and for those that are not at the end their speed since a moment ago.
func (o *console) status(_ *cobra.Command, args []string) error {
	if len(args) == 0 {
		args = slices.Sorted(maps.Keys(o.builds))
	}
	table := tabwriter.NewWriter(o.out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "BUILD\tSTATE\tPOSITION\tOF\tDONE\tPOSITIONS/S\tTIME LEFT")
	for _, name := range args {
		projection, only, err := o.find(name)
		if err != nil {
			return err
		}
		b := o.builds[projection]
		for _, build := range b.All() {
			if only != nil && *only != build {
				continue
			}
			if err := o.statusOf(table, projection, build); err != nil {
				return err
			}
		}
	}
	return table.Flush()
}

func (o *console) statusOf(table *tabwriter.Writer, projection string, build readmodels.Build) error {
	before, end, err := o.positions(projection, build)
	if err != nil {
		return err
	}
	after := before
	if slices.Min(before) < end {
		if err := o.rest(between); err != nil {
			return err
		}
		if after, end, err = o.positions(projection, build); err != nil {
			return err
		}
	}
	for partition, at := range after {
		scope := readmodels.Scope{Projection: projection, Partition: partition}.Of(build)
		speed := float64(at-min(before[partition], at)) / between.Seconds()
		left := "-"
		if speed > 0 && at < end {
			left = time.Duration(float64(end-at) / speed * float64(time.Second)).Round(time.Second).String()
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%d%%\t%.0f\t%s\n", scope, state(o.builds[projection], build), at, end, percent(at, end), speed, left)
	}
	return nil
}

func percent(at, end eventstore.Position) int {
	if at >= end {
		return 100
	}
	return int(float64(at) / float64(end) * 100)
}

// positions is where each partition of a build stands, and where the log ends.
func (o *console) positions(projection string, build readmodels.Build) ([]eventstore.Position, eventstore.Position, error) {
	end, err := o.end(o.builds[projection].Next)
	if err != nil {
		return nil, 0, err
	}
	var all []eventstore.Position
	for partition := range o.parts.Count() {
		at, err := o.models.Checkpoint(o.ctx, readmodels.Scope{Projection: projection, Partition: partition}.Of(build))
		if err != nil {
			return nil, 0, err
		}
		all = append(all, at.Position)
	}
	return all, end, nil
}

func (o *console) rest(d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-o.ctx.Done():
		return o.ctx.Err()
	}
}

func (o *console) rebuild(cmd *cobra.Command, args []string) error {
	flag := cmd.Flags()
	all, _ := flag.GetBool("all") // the flags are those of this command
	promote, _ := flag.GetBool("promote")
	park, _ := flag.GetBool("park")
	rate, _ := flag.GetInt("rate")
	wait, _ := flag.GetBool("wait")
	if all == (len(args) > 0) {
		return errors.New("name the projections to build anew, or give --all")
	}
	if rate < 0 {
		return errors.New("--rate must not be negative")
	}
	if all {
		args = slices.Sorted(maps.Keys(o.builds))
	}
	versions := map[string]int{}
	for _, scope := range readmodels.Scopes() {
		versions[scope.Projection] = scope.Version
	}
	for _, name := range args {
		if projection, build, err := o.find(name); err != nil {
			return err
		} else if build != nil || versions[projection] == 0 {
			return fmt.Errorf("%s cannot be built by this program: name a projection, without a build", name)
		}
	}
	args = slices.Compact(slices.Sorted(slices.Values(args))) // a name given twice would give up its own build
	for _, name := range args {
		end, err := o.end(nil)
		if err != nil {
			return err
		}
		err = o.change(name, func(b *readmodels.Builds) error {
			if b.Live.Version > versions[name] {
				return fmt.Errorf("%s@%s is by newer rules than those of this program: rebuild it with the program that runs", name, b.Live)
			}
			b.Rebuild(readmodels.Next{
				Build: readmodels.Build{Version: versions[name]}, Promote: promote, Park: park, Rate: rate, Begun: time.Now().UTC(), Goal: end,
			})
			return nil
		})
		if err != nil {
			return err
		}
		o.printf("%s@%s is being built.\n", name, o.builds[name].Next.Build)
	}
	if !wait {
		return nil
	}
	for _, name := range args {
		if err := o.follow(name, o.builds[name].Next.Build, promote); err != nil {
			return err
		}
	}
	return nil
}

// follow shows how far a build is until it has caught up, or is promoted.
func (o *console) follow(projection string, build readmodels.Build, promoted bool) error {
	show := progress(o.out, "Building "+projection+"@"+build.String())
	const whole = 1000
	for {
		all, err := readmodels.ReadBuilds(o.ctx, o.models)
		if err != nil {
			return err
		}
		b := all[projection]
		switch {
		case b == nil:
			return errors.New("the read models were lost meanwhile, and are being built anew")
		case b.Live == build:
			show(whole, whole)
			o.printf("%s@%s is live.\n", projection, build)
			return nil
		case b.Next == nil || b.Next.Build != build:
			return fmt.Errorf("%s@%s was given up", projection, build)
		case slices.Contains(b.Paused, build):
			return fmt.Errorf("it is paused; rolewise projections resume %s goes on", projection)
		case b.Next.Fault != "":
			return fmt.Errorf("it has stopped at %s; when that is repaired, rolewise projections resume %s goes on, with --park it is parked", b.Next.Fault, projection)
		}
		o.builds = all
		at, end, err := o.positions(projection, build)
		if err != nil {
			return err
		}
		if least := slices.Min(at); least < end {
			show(int(float64(least)/float64(end)*(whole-1)), whole)
		} else if !promoted {
			show(whole, whole)
			o.printf("%s@%s has caught up; rolewise projections promote %[1]s lets queries read it.\n", projection, build)
			return nil
		}
		if err := o.rest(between); err != nil {
			return err
		}
	}
}

func (o *console) promote(_ *cobra.Command, args []string) error {
	projection, build, err := o.one(args)
	if err != nil {
		return err
	}
	err = o.change(projection, func(b *readmodels.Builds) error {
		if b.Next == nil || build != nil && *build != b.Next.Build {
			return fmt.Errorf("no such build of %s is under way: rolewise projections rebuild %[1]s begins one", projection)
		}
		b.Next.Promote = true
		return nil
	})
	if err != nil {
		return err
	}
	return o.follow(projection, o.builds[projection].Next.Build, true)
}

// promotion bounds how long a rollback waits for the other build to come up to the live one.
const promotion = 5 * time.Second

func (o *console) rollback(cmd *cobra.Command, args []string) error {
	projection, build, err := o.one(args)
	if err != nil {
		return err
	}
	anyway, _ := cmd.Flags().GetBool("anyway")
	b := o.builds[projection]
	if b.Before == nil || build != nil && *build != *b.Before {
		return fmt.Errorf("%s has no such build to go back to", projection)
	}
	live, before := b.Live, *b.Before
	if !anyway {
		if err := o.level(projection, live, before); err != nil {
			return err
		}
	}
	err = o.change(projection, func(b *readmodels.Builds) error {
		if b.Live != live || b.Before == nil || *b.Before != before {
			return errors.New("somebody else has promoted or rolled back meanwhile")
		}
		b.Rollback()
		return nil
	})
	if err == nil {
		o.printf("%s@%s is live again.\n", projection, before)
	}
	return err
}

// level waits until a build is where another one is now.
func (o *console) level(projection string, live, before readmodels.Build) error {
	ctx, cancel := context.WithTimeout(o.ctx, promotion)
	defer cancel()
	for partition := range o.parts.Count() {
		scope := readmodels.Scope{Projection: projection, Partition: partition}
		at, err := o.models.Checkpoint(o.ctx, scope.Of(live))
		if err != nil {
			return err
		}
		err = o.models.Wait(ctx, scope.Of(before), at.Position)
		if errors.Is(err, context.DeadlineExceeded) && o.ctx.Err() == nil {
			return fmt.Errorf("%s does not come up to %s: start a process whose program has its version, resume it, or roll back with --anyway",
				scope.Of(before), at.Position)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// target is the build named, or the one under way, or the live one, which it harms nothing to go on with.
func target(b *readmodels.Builds, named *readmodels.Build) readmodels.Build {
	switch {
	case named != nil:
		return *named
	case b.Next != nil:
		return b.Next.Build
	}
	return b.Live
}

func (o *console) pause(_ *cobra.Command, args []string) error {
	projection, named, err := o.one(args)
	if err != nil {
		return err
	}
	var build readmodels.Build
	err = o.change(projection, func(b *readmodels.Builds) error {
		if build = target(b, named); named == nil && build == b.Live { // it may just have been promoted
			return fmt.Errorf("no build of %s is under way: to stop the one that queries read, name it as %[1]s@%s", projection, build)
		}
		if !slices.Contains(b.Paused, build) {
			b.Paused = append(b.Paused, build)
		}
		return nil
	})
	if err == nil {
		o.printf("%s@%s is paused.\n", projection, build)
	}
	return err
}

func (o *console) resume(cmd *cobra.Command, args []string) error {
	projection, named, err := o.one(args)
	if err != nil {
		return err
	}
	park, _ := cmd.Flags().GetBool("park")
	var build readmodels.Build
	err = o.change(projection, func(b *readmodels.Builds) error {
		build = target(b, named)
		stopped := b.Next != nil && b.Next.Build == build && b.Next.Fault != ""
		if !stopped && !slices.Contains(b.Paused, build) {
			return fmt.Errorf("%s@%s is neither paused nor stopped", projection, build)
		}
		if b.Next != nil && b.Next.Build == build {
			b.Next.Fault, b.Next.Park = "", b.Next.Park || park
		}
		b.Paused = slices.DeleteFunc(b.Paused, func(one readmodels.Build) bool { return one == build })
		return nil
	})
	if err == nil {
		o.printf("%s@%s goes on.\n", projection, build)
	}
	return err
}

func (o *console) drop(_ *cobra.Command, args []string) error {
	projection, build, err := o.one(args)
	if err != nil {
		return err
	}
	if build == nil {
		return fmt.Errorf("name the build to drop, as in %s@%s", projection, o.builds[projection].Live)
	}
	if err := o.change(projection, func(b *readmodels.Builds) error { return b.Drop(*build) }); err != nil {
		return err
	}
	o.printf("%s@%s is given up; its data goes as soon as a process projects.\n", projection, *build)
	return nil
}
