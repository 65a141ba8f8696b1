package main

import (
	"fmt"
	"io"
	"os"
	"time"

	"github.com/mattn/go-isatty"
	"github.com/schollz/progressbar/v3"
)

// progress shows how far a long job is: a bar on a terminal, a line every tenth elsewhere (SPEC OPS-4).
func progress(out io.Writer, label string) func(done, total int) {
	if f, ok := out.(*os.File); ok && isatty.IsTerminal(f.Fd()) {
		var bar *progressbar.ProgressBar
		return func(done, total int) {
			if bar == nil {
				bar = progressbar.NewOptions(total, progressbar.OptionSetWriter(out), progressbar.OptionSetDescription(label),
					progressbar.OptionShowCount(), progressbar.OptionThrottle(100*time.Millisecond), progressbar.OptionOnCompletion(func() { fmt.Fprintln(out) }))
			}
			_ = bar.Set(done) // a bar that cannot be drawn is no reason to stop
		}
	}
	last := -1
	return func(done, total int) {
		if tenth := done * 10 / max(total, 1); tenth > last {
			last = tenth
			fmt.Fprintf(out, "%s: %d of %d\n", label, done, total)
		}
	}
}
