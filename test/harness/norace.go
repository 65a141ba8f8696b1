//go:build !race

package harness

// Race tells whether the tests run with the race detector.
const Race = false
