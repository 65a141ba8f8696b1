package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"rolewise/eventstore"
	"rolewise/readmodels"
)

func projectionsCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "projections",
		Short: "See the builds of the read models, and build, promote, stop and remove them",
		Long: "See the builds of the read models, and build, promote, stop and remove them.\n\n" +
			"A projection is named as in role-analytics, one build of it as in role-analytics@3 or role-analytics@3+1795323600.\n" +
			"What is asked for is done by the processes that project, as soon as one runs. Read models in the memory of a\n" +
			"process (--redis memory, dev) are built anew at each of its starts.",
	}
	sub := ofBuilds(cmd)
	sub("list", "List every build: which one queries read, how far it is, what is parked", 0, (*console).list)
	sub("status [NAME…]", "Show the builds in each partition, and how fast those go on that are not at the end", many, (*console).status)
	rebuild := sub("rebuild NAME…", "Build projections anew beside the live ones; of several one scan of the log feeds all", many, (*console).rebuild)
	rebuild.Flags().Bool("all", false, "build every projection anew")
	rebuild.Flags().Bool("promote", false, "let queries read it as soon as it has caught up")
	rebuild.Flags().Bool("park", false, "park what cannot be applied, and what follows in its stream, rather than stopping there")
	rebuild.Flags().Int("rate", 0, "most events of the log that each process reads for it in a second; 0: any")
	rebuild.Flags().Bool("wait", false, "show how far it is until it is built; it goes on if you stop this")
	sub("promote NAME", "Let queries read the build that is under way, once it has caught up", 1, (*console).promote)
	back := sub("rollback NAME", "Let queries read again what they read before the last promotion", 1, (*console).rollback)
	back.Flags().Bool("anyway", false, "also if it lies behind: queries answer 503 until it has caught up")
	sub("pause NAME[@BUILD]", "Stop a build where it is: the one under way, or the one named", 1, (*console).pause)
	resume := sub("resume NAME[@BUILD]", "Go on with a build that was paused, or that stopped at an event", 1, (*console).resume)
	resume.Flags().Bool("park", false, "park what cannot be applied, rather than stopping there again")
	sub("drop NAME@BUILD", "Give up a build that is not live, and remove its data", 1, (*console).drop)
	return cmd
}

// ofBuilds gives a command the flag of where the read models are, and returns how it gets commands below it, each with
// so many names at most.
func ofBuilds(cmd *cobra.Command) (below func(use, short string, most int, run func(o *console, cmd *cobra.Command, names []string) error) *cobra.Command) {
	var where string
	cmd.PersistentFlags().StringVar(&where, "redis", "", "redis://…, rediss://… or redis-cluster://host:port,… of the read models")
	if err := cmd.MarkPersistentFlagRequired("redis"); err != nil {
		panic(err) // only for a flag that does not exist
	}
	return func(use, short string, most int, run func(o *console, cmd *cobra.Command, names []string) error) *cobra.Command {
		c := &cobra.Command{Use: use, Short: short, Args: names(most), Annotations: map[string]string{takesNames: use}}
		c.RunE = func(cmd *cobra.Command, args []string) error {
			return operate(cmd.Context(), where, cmd.OutOrStdout(), func(o *console) error { return run(o, cmd, args) })
		}
		cmd.AddCommand(c)
		return c
	}
}

// many is no bound.
const many = 1 << 10

// names takes so many names of projections or streams, which alone may be repeated in a message.
func names(most int) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) > most {
			return fmt.Errorf("%s takes at most %d names", cmd.CommandPath(), most)
		}
		for _, arg := range args {
			if strings.Contains(arg, "://") {
				return fmt.Errorf("%s takes names only; write an address as --redis ADDRESS", cmd.CommandPath())
			}
		}
		return nil
	}
}

// console is one command about the builds of the read models.
type console struct {
	ctx    context.Context
	models readmodels.Store
	parts  readmodels.Partitions
	builds map[string]*readmodels.Builds
	out    io.Writer
}

// operate opens the read models for one command.
func operate(ctx context.Context, url string, out io.Writer, run func(*console) error) error {
	if url == "memory" {
		return errors.New("read models in memory are seen by their own process only, which builds them anew at each start")
	}
	models, err := openModels(ctx, url)
	if err != nil {
		return err
	}
	defer models.Close()
	o := &console{ctx: ctx, models: models, out: out}
	if o.builds, err = readmodels.ReadBuilds(ctx, models); err != nil {
		return err
	}
	if len(o.builds) == 0 {
		return errors.New("no process has projected into these read models yet: start one with rolewise serve")
	}
	if o.parts, err = models.Partitions(ctx, usualPartitions); err != nil { // they are settled before any build
		return err
	}
	return run(o)
}

func (o *console) printf(format string, args ...any) {
	_, _ = fmt.Fprintf(o.out, format, args...) // nobody is left to be told
}

// find takes the name of a projection, or of a build of one, apart.
func (o *console) find(name string) (projection string, build *readmodels.Build, err error) {
	projection, text, named := strings.Cut(name, "@")
	if o.builds[projection] == nil {
		shown := ""
		if word.MatchString(projection) { // else it may be an address with its password
			shown = fmt.Sprintf(" %q", projection)
		}
		return "", nil, fmt.Errorf("there is no projection%s; there are %s", shown, strings.Join(slices.Sorted(maps.Keys(o.builds)), ", "))
	}
	if !named {
		return projection, nil, nil
	}
	b, err := readmodels.ParseBuild(text)
	if err != nil {
		return "", nil, err
	}
	if !slices.Contains(o.builds[projection].All(), b) {
		return "", nil, fmt.Errorf("there is no build %s of %s", b, projection)
	}
	return projection, &b, nil
}

// one takes the only name that a command needs.
func (o *console) one(args []string) (projection string, build *readmodels.Build, err error) {
	if len(args) == 0 {
		return "", nil, fmt.Errorf("name a projection: %s", strings.Join(slices.Sorted(maps.Keys(o.builds)), ", "))
	}
	return o.find(args[0])
}

// change changes the builds of a projection; there are some.
func (o *console) change(projection string, change func(*readmodels.Builds) error) error {
	b, err := readmodels.ChangeBuilds(o.ctx, o.models, projection, func(b *readmodels.Builds) (*readmodels.Builds, error) {
		if b == nil {
			return nil, errors.New("the read models were lost meanwhile, and are being built anew")
		}
		return b, change(b)
	})
	if err == nil {
		o.builds[projection] = b
	}
	return err
}

// state says in a word what a build is.
func state(b *readmodels.Builds, build readmodels.Build) string {
	word := "building"
	switch {
	case build == b.Live:
		word = "live"
	case b.Before != nil && *b.Before == build:
		word = "before"
	case slices.Contains(b.Leaving, build):
		return "leaving"
	case b.Next.Fault != "":
		word = "stopped"
	}
	if slices.Contains(b.Paused, build) {
		word += ", paused"
	}
	return word
}

func (o *console) list(*cobra.Command, []string) error {
	table := tabwriter.NewWriter(o.out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "PROJECTION\tBUILD\tSTATE\tPOSITION\tAS OF\tPARKED")
	for _, name := range slices.Sorted(maps.Keys(o.builds)) {
		b := o.builds[name]
		for _, build := range slices.Concat(b.All(), b.Leaving) {
			at, parked, err := o.standing(name, build)
			if err != nil {
				return err
			}
			fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%d\n", name, build, state(b, build), at.Position, moment(at.Time), parked)
		}
	}
	if err := table.Flush(); err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(o.builds)) {
		if next := o.builds[name].Next; next != nil && next.Fault != "" {
			o.printf("%s@%s has stopped: %s\n", name, next.Build, next.Fault)
		}
	}
	return nil
}

func moment(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return t.UTC().Format(time.RFC3339)
}

// standing is where the hindmost partition of a build stands, and of how many streams events are parked in all.
func (o *console) standing(name string, build readmodels.Build) (least readmodels.Checkpoint, parked int, err error) {
	for partition := range o.parts.Count() {
		scope := readmodels.Scope{Projection: name, Partition: partition}.Of(build)
		at, err := o.models.Checkpoint(o.ctx, scope)
		if err != nil {
			return least, parked, err
		}
		waiting, err := readmodels.Parked(o.ctx, o.models, scope)
		if err != nil {
			return least, parked, err
		}
		if parked += len(waiting); partition == 0 || at.Position < least.Position {
			least = at
		}
	}
	return least, parked, nil
}

// end is as far as is known where the log ends: what the furthest build has reached, or what the log had when the build
// was begun.
func (o *console) end(next *readmodels.Next) (eventstore.Position, error) {
	var end eventstore.Position
	if next != nil {
		end = next.Goal
	}
	for name, b := range o.builds {
		for partition := range o.parts.Count() {
			at, err := o.models.Checkpoint(o.ctx, readmodels.Scope{Projection: name, Partition: partition}.Of(b.Live))
			if err != nil {
				return 0, err
			}
			end = max(end, at.Position)
		}
	}
	return end, nil
}
