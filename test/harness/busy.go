package harness

import (
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
	"time"
)

// Took returns how long the start of a server took: by the clock, or on a machine that others keep busy the processor
// time that the server used, which is less. The text says which.
func (p *Process) Took() (took time.Duration, text string) {
	used, known := p.processor()
	load, err := os.ReadFile("/proc/loadavg")
	busy := 0.0
	if err == nil {
		busy, _ = strconv.ParseFloat(strings.Fields(string(load))[0], 64)
	}
	if !known || busy <= float64(runtime.NumCPU()) || used > p.Startup {
		return p.Startup, fmt.Sprintf("%s", p.Startup.Round(time.Millisecond))
	}
	return used, fmt.Sprintf("%s of processor time (%s by the clock of a machine with load %.1f)", used, p.Startup.Round(time.Millisecond), busy)
}

// processor is the processor time that the process has used so far, where the system tells.
func (p *Process) processor() (time.Duration, bool) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.PID()))
	_, fields, found := strings.Cut(string(stat), ") ")
	if err != nil || !found {
		return 0, false
	}
	all := strings.Fields(fields)
	user, err := strconv.Atoi(all[11])
	system, err2 := strconv.Atoi(all[12])
	const tick = 10 * time.Millisecond // of /proc, on every Linux that Go runs on
	return time.Duration(user+system) * tick, err == nil && err2 == nil
}
