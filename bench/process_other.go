//go:build !linux

package main

import (
	"runtime"
	"time"
)

// cpuTime is not known here.
func cpuTime() time.Duration { return 0 }

// peakMemory is what the runtime has taken from the system, in bytes.
func peakMemory() int64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.Sys)
}
