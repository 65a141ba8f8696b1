//go:build race

package commands_test

// bulkSize is smaller than the most of one command, since the race detector makes the store ten times as slow.
const bulkSize = 2_000
