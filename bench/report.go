package main

import (
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"time"
)

// area is a part of the report: what one benchmark found out.
type area struct {
	Title  string
	Method string // one paragraph: what is done, against what, and what disturbs it
	Rows   []row
	samples
}

// row is one figure, and the bare limit beside it.
type row struct {
	Figure string
	ours   string // name in the samples
	Limit  string // what the bare loop does; empty: there is none
	bare   string // name in the samples
	unit   unit
}

// unit says how a value is written.
type unit func(float64) string

// perSecond writes a rate.
func perSecond(v float64) string { return thousands(v) + "/s" }

// seconds writes a duration that is given in seconds.
func seconds(v float64) string {
	switch {
	case v < 1e-3:
		return fmt.Sprintf("%.0f µs", v*1e6)
	case v < 1:
		return fmt.Sprintf("%.2f ms", v*1e3)
	}
	return fmt.Sprintf("%.2f s", v)
}

// thousands writes a whole number with commas, rounded to three digits where it is large.
func thousands(v float64) string {
	if v >= 1000 {
		scale := math.Pow(10, math.Floor(math.Log10(v))-2)
		v = math.Round(v/scale) * scale
	}
	digits := fmt.Sprintf("%.0f", v)
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return digits
}

// latencyRows are the median and the 99th percentile of a figure, against those of a bare loop.
func latencyRows(figure, ours, limit, bare string) []row {
	var rows []row
	for _, p := range []string{"p50", "p99"} {
		r := row{Figure: figure + ", " + p, ours: ours + " " + p, unit: seconds}
		if limit != "" {
			r.Limit, r.bare = limit+", "+p, bare+" "+p
		}
		rows = append(rows, r)
	}
	return rows
}

// report is the whole document.
type report struct {
	Facts  []fact
	Rounds int
	Quick  bool
	Areas  []area
	Took   time.Duration
}

const preface = `# Benchmarks

This page is written as a whole by ` + "`make bench`" + `. Do not edit it: change ` + "`bench/`" + ` and run it again.
`

const method = `## How the figures are taken

Every figure stands beside a bare loop that does the least that any program would have to do on the same machine: the
limit. Both are taken in the same run, in turns: one round to warm up, then %d that count, every second one in reverse
order. A figure is the median of its rounds; the range beside it is its smallest and its largest round. The ratio is ours
divided by the limit, round by round, then the median of those: for a rate 1.00 would be as fast as the limit, and more is
better; for a duration 1.00 would be as short, and less is better.
p50 and p99 are percentiles of all calls of one round. What is done otherwise, a section says. Events of the store benchmarks have 400 bytes; all other load comes
from the package ` + "`sample`" + `, with a fixed seed.

Load generators, servers, Redis and the disk share this one machine, so every figure includes what they take from each
other. Absolute figures depend on the machine, and on its disk most of all; compare ratios.
`

func (r report) write(w io.Writer) error {
	var b strings.Builder
	b.WriteString(preface)
	if r.Quick {
		b.WriteString("\n**A quick run: it shows that the benchmarks work. The figures mean nothing.**\n")
	}
	b.WriteString("\n| | |\n|---|---|\n")
	for _, f := range r.Facts {
		fmt.Fprintf(&b, "| %s | %s |\n", f.name, f.value)
	}
	fmt.Fprintf(&b, "| Took | %s |\n\n", r.Took.Round(time.Second))
	fmt.Fprintf(&b, method, r.Rounds)
	for _, a := range r.Areas {
		a.write(&b)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func (a area) write(b *strings.Builder) {
	fmt.Fprintf(b, "\n## %s\n\n%s\n\n", a.Title, a.Method)
	b.WriteString("| figure | median | range | bare limit | median | range | ratio | range |\n")
	b.WriteString("|---|--:|--:|---|--:|--:|--:|--:|\n")
	for _, r := range a.Rows {
		ours := a.samples[r.ours]
		fmt.Fprintf(b, "| %s | **%s** | %s |", r.Figure, r.unit(median(ours)), spread(ours, r.unit))
		if r.bare == "" {
			b.WriteString(" | | | | |\n")
			continue
		}
		bare := a.samples[r.bare]
		divided := ratios(ours, bare)
		fmt.Fprintf(b, " %s | %s | %s | **%s** | %s |\n", r.Limit, r.unit(median(bare)), spread(bare, r.unit),
			ratio(median(divided)), spread(divided, ratio))
	}
}

// ratio writes a ratio.
func ratio(v float64) string {
	switch {
	case v >= 10:
		return fmt.Sprintf("%.0f", v)
	case v < 0.1:
		return fmt.Sprintf("%.3f", v)
	}
	return fmt.Sprintf("%.2f", v)
}

// spread writes the smallest and the largest value.
func spread(values []float64, unit unit) string {
	if len(values) == 0 {
		return ""
	}
	return unit(slices.Min(values)) + " – " + unit(slices.Max(values))
}

// missing names what rows refer to and nobody measured: a mistake in a benchmark.
func (a area) missing() error {
	for _, r := range a.Rows {
		for _, name := range []string{r.ours, r.bare} {
			if name != "" && len(a.samples[name]) == 0 {
				return fmt.Errorf("%s: nothing was measured as %q", a.Title, name)
			}
		}
	}
	return nil
}
