//go:build race

package sqlite

// defaultStreams is how many streams the contract makes in the default configuration. The race detector makes each
// append ten times as slow.
const defaultStreams = 10_000
