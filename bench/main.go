// Command bench measures Rolewise against bare loops and writes docs/benchmarks.md.
//
// A benchmark is a file of its own and a line in the list below. It returns an area of the report, whose figures were
// taken by suite.compare, so that all of them are taken in the same way.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
)

// benchmark is one area of the report.
type benchmark struct {
	name string
	run  func(context.Context, *suite) (area, error)
}

var benchmarks = []benchmark{
	{"append", benchAppend},
	{"read", benchRead},
	{"verify", benchVerify},
	{"wire", benchWire},
	{"project", benchProject},
	{"command", benchCommand},
	{"visible", benchVisible},
	{"memory", benchMemory},
	{"opening", benchOpening},
}

func names() []string {
	var all []string
	for _, b := range benchmarks {
		all = append(all, b.name)
	}
	return all
}

// options are the flags.
type options struct {
	report, only, folder string
	events               int
	quick                bool
}

func main() {
	if len(os.Args) > 1 && roles[os.Args[1]] != nil {
		os.Exit(ending(roles[os.Args[1]](os.Args[2:])))
	}
	var o options
	flag.StringVar(&o.report, "report", "", "`file` to write; standard output if it is left out")
	flag.StringVar(&o.only, "only", "", "run one benchmark: "+strings.Join(names(), ", "))
	flag.StringVar(&o.folder, "dir", os.TempDir(), "`folder` for databases, on the disk to be measured")
	flag.IntVar(&o.events, "events", 0, "`number` of events of the larger log whose memory is compared; 0: a million, or few for -quick")
	flag.BoolVar(&o.quick, "quick", false, "small and short, to see that the benchmarks work")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	os.Exit(ending(run(ctx, o)))
}

// ending returns the exit code.
func ending(err error) int {
	if err == nil {
		return 0
	}
	fmt.Fprintln(os.Stderr, "bench:", err)
	return 1
}

func run(ctx context.Context, o options) (err error) {
	chosen, err := o.choose()
	if err != nil {
		return err
	}
	s, err := newSuite(o)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	start := time.Now()
	result := report{Facts: machine(ctx, s.folder), Rounds: s.rounds, Quick: o.quick}
	for _, b := range chosen {
		s.begin(b.name)
		found, err := b.run(ctx, s)
		if ctx.Err() != nil {
			return errors.New("interrupted")
		}
		if err == nil {
			err = found.missing()
		}
		if err != nil {
			return fmt.Errorf("%s: %w", b.name, err)
		}
		s.say("done")
		result.Areas = append(result.Areas, found)
	}
	result.Took = time.Since(start)
	return o.save(result)
}

func (o options) choose() ([]benchmark, error) {
	if flag.NArg() > 0 {
		return nil, fmt.Errorf("%q is not understood", flag.Arg(0))
	}
	if o.events != 0 && o.events < leastEvents {
		return nil, fmt.Errorf("-events %d is too few to compare: give %d or more", o.events, leastEvents)
	}
	if o.only == "" {
		return benchmarks, nil
	}
	i := slices.Index(names(), o.only)
	switch {
	case i < 0:
		return nil, fmt.Errorf("there is no benchmark %q; there are %s", o.only, strings.Join(names(), ", "))
	case o.report != "":
		return nil, errors.New("a report has all benchmarks: leave -only or -report out")
	}
	return benchmarks[i : i+1], nil
}

// save writes the report, to a file as a whole or not at all.
func (o options) save(r report) error {
	if o.report == "" {
		return r.write(os.Stdout)
	}
	f, err := os.CreateTemp(filepath.Dir(o.report), ".benchmarks-*")
	if err != nil {
		return fmt.Errorf("write the report: %w", err)
	}
	defer os.Remove(f.Name()) // gone already if all went well
	err = errors.Join(r.write(f), f.Chmod(0o644), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), o.report)
	}
	if err != nil {
		return fmt.Errorf("write the report: %w", err)
	}
	return nil
}

// suite is what the benchmarks of a run share.
type suite struct {
	size
	folder string // for databases, removed in the end
	log    io.Writer
	start  time.Time
	now    string // the benchmark that is running

	filled *filled // made at the first use, as the next three
	sized  map[int]*sizedLog
	sample *history
	built  string // path of the program that is measured
}

// size is how much is done: enough for steady figures, or just enough to see that all works.
type size struct {
	rounds   int
	slice    time.Duration // how long a loop runs in one round
	streams  int           // with one event each, in the log of the store benchmarks
	twenties int           // streams of twenty events in it
	plans    int           // in the log that is projected
	perPlan  int           // events of each of these plans
	opened   int           // events of the log whose opening is measured
	small    int           // events of the smaller log whose memory is measured
	large    int           // of the larger
	backlog  int64         // bytes in the write-ahead log of a store that was killed, at least
}

var (
	full = size{rounds: 5, slice: 1200 * time.Millisecond, streams: 400_000, twenties: 5_000,
		plans: 4, perPlan: 6_000, opened: 1_000_000, small: 300_000, large: 1_000_000, backlog: 256 << 20}
	quick = size{rounds: 2, slice: 100 * time.Millisecond, streams: 30_000, twenties: 200,
		plans: 2, perPlan: 3_000, opened: 40_000, small: 20_000, large: 40_000, backlog: 32 << 20}
)

func newSuite(o options) (*suite, error) {
	folder, err := os.MkdirTemp(o.folder, "rolewise-bench-")
	if err != nil {
		return nil, fmt.Errorf("make a folder for databases: %w", err)
	}
	s := &suite{size: full, folder: folder, log: os.Stderr, start: time.Now(), sized: map[int]*sizedLog{}}
	if o.quick {
		s.size = quick
	}
	if o.events > 0 {
		s.large, s.small = o.events, min(s.opened, o.events/10)
	}
	return s, nil
}

func (s *suite) close() error { return os.RemoveAll(s.folder) }

func (s *suite) begin(name string) { s.now = name }

// say tells how far the run has come.
func (s *suite) say(format string, args ...any) {
	fmt.Fprintf(s.log, "%5.0f s  %-8s %s\n", time.Since(s.start).Seconds(), s.now, fmt.Sprintf(format, args...))
}

// scratch makes an empty folder.
func (s *suite) scratch(name string) (string, error) {
	return os.MkdirTemp(s.folder, name+"-")
}
