//go:build !race

package commands_test

// bulkSize is the most members of one command.
const bulkSize = 10_000
