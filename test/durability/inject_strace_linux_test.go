package durability

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
)

// injection is a fault that strace puts in place of system calls.
type injection struct {
	file, calls, what string
	among             int  // calls of a thread, of which one fails, or all from then on
	fatal             bool // the store must take no appends any more after it
}

// With retval=0 nothing is written, and the caller is told so.
var injections = []injection{
	{"-wal", "fsync,fdatasync", "error=EIO", 12, true},
	{".head", "pwrite64", "retval=0", 12, true},
	{"-wal", "pwrite64", "error=ENOSPC", 60, false},
	{".head", "fsync,fdatasync", "error=EIO", 12, true},
	{"-wal", "pwrite64", "error=EIO", 60, true},
	{"", "pwrite64", "error=ENOSPC", 40, false},
	{"-wal", "pwrite64", "retval=0", 60, false},
	{"", "pwrite64", "error=EIO", 40, false},
	{"", "fsync,fdatasync", "error=EIO", 3, false},
	{"", "pwrite64", "retval=0", 40, false},
	{".head", "pwrite64", "error=ENOSPC", 12, true},
	{"-shm", "pwrite64,ftruncate", "error=ENOSPC", 2, false},
	{"-wal", "openat", "error=EMFILE", 3, false},
	{"-wal", "unlink,unlinkat", "error=EIO", 1, false},
	{"", "openat", "error=EIO", 4, false},
	{"-shm", "mmap", "error=ENOMEM", 2, false},
}

// TestFailingCalls makes system calls of a store's process fail, under 16 writers. What must hold is the same as on a
// failing disk; calls that a disk does not see fail too.
func TestFailingCalls(t *testing.T) {
	needStrace(t)
	random, seed := seeded(t)
	var f *failing
	runs, struck, acknowledged, arrived := cycles(3, 32), 0, 0, 0
	for n := range runs {
		one := injections[n%len(injections)]
		if n%5 == 0 {
			f = newFailing(t, seed+uint64(n))
		}
		when := strconv.Itoa(1 + random.IntN(one.among))
		if random.IntN(2) == 0 {
			when += "+"
		}
		before, _ := f.book.count()
		r, hits := f.traced(t, one, when)
		after, _ := f.book.count()
		name := fmt.Sprintf("%s of %s: %s, call %s of a thread", one.calls, storeName+one.file, one.what, when)
		t.Logf("%s: struck %d times; %d acknowledged, %d arrived without", name, hits, after-before, r.findings.arrived)
		if !r.clean() {
			t.Errorf("%s: %s", name, &r)
		}
		if hits > 0 {
			struck++
		}
		acknowledged, arrived = acknowledged+after-before, arrived+r.findings.arrived
	}
	t.Logf("%d of %d faults struck; %d appends acknowledged, %d arrived without", struck, runs, acknowledged, arrived)
	if struck < runs/2 || acknowledged < runs {
		t.Error("there were hardly any faults or appends")
	}
}

// needStrace skips the test where no process can be traced.
func needStrace(t *testing.T) {
	t.Helper()
	if _, err := exec.LookPath("strace"); err != nil {
		t.Skipf("failing calls are not tried this way: %v", err)
	}
	if output, err := exec.Command("strace", "-qq", "-o", os.DevNull, "true").CombinedOutput(); err != nil {
		t.Skipf("failing calls are not tried this way: tracing is not permitted: %v: %s", err, output)
	}
}

// traced runs the crew under strace, and judges.
func (f *failing) traced(t *testing.T, one injection, when string) (r found, hits int) {
	t.Helper()
	if err := f.prepare(f.folder); err != nil {
		t.Fatal(err)
	}
	trace := filepath.Join(t.TempDir(), "trace")
	c := launch(t, "injected", f.work, "strace", "-f", "-qq", "-ttt", "-o", trace, "-P", f.work.Path+one.file,
		"-e", "signal=none", "-e", "trace="+one.calls, "-e", "inject="+one.calls+":"+one.what+":when="+when)
	done := make(chan struct{})
	go func() {
		select {
		case <-time.After(250 * time.Millisecond):
			c.tell("close")
		case <-done:
		}
	}()
	said := listen(c)
	close(done)
	complain(t, c)
	content, err := os.ReadFile(trace)
	if err != nil {
		t.Fatal(err)
	}
	var failed time.Time
	if hits = strings.Count(string(content), "(INJECTED)"); hits > 0 && one.fatal {
		failed = firstInjected(t, string(content))
	}
	if r, err = f.judge(t.Context(), failed, said, honest); err != nil {
		t.Fatal(err)
	}
	return r, hits
}

var injectedLine = regexp.MustCompile(`(?m)^\d+ +(\d+)\.(\d{6}) .*\(INJECTED\)`)

func firstInjected(t *testing.T, trace string) time.Time {
	t.Helper()
	found := injectedLine.FindStringSubmatch(trace)
	if found == nil {
		t.Fatalf("no time stands in the trace:\n%s", trace[:min(len(trace), 2000)])
	}
	seconds, _ := strconv.ParseInt(found[1], 10, 64) // digits alone
	micros, _ := strconv.ParseInt(found[2], 10, 64)
	return time.Unix(seconds, micros*1000)
}
