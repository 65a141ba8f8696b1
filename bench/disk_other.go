//go:build !linux

package main

import "os"

// flush makes what was written to a file durable.
func flush(f *os.File) error { return f.Sync() }

// fileSystem is not asked for on this system.
func fileSystem(string) string { return "" }
