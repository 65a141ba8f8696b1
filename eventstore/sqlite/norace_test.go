//go:build !race

package sqlite

// defaultStreams is how many streams the contract makes in the default configuration.
const defaultStreams = 100_000
