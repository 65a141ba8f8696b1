package main

import (
	"strconv"
	"strings"
	"syscall"
	"time"
)

// cpuTime is what this process has taken of the processors so far.
func cpuTime() time.Duration {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// peakMemory is the most memory that this process has had at once (resident set), in bytes. It is not taken from
// getrusage, which counts the process that started this one too.
func peakMemory() int64 {
	kib, err := strconv.ParseInt(strings.TrimSuffix(field("/proc/self/status", "VmHWM"), " kB"), 10, 64)
	if err != nil {
		return 0
	}
	return kib << 10
}
