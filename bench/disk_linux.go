package main

import (
	"fmt"
	"math"
	"os"
	"syscall"
)

// flush makes what was written to a file durable, and of its metadata only what reading it back needs.
func flush(f *os.File) error { return syscall.Fdatasync(int(f.Fd())) }

// freeBytes is what a folder has room for.
func freeBytes(folder string) int64 {
	var s syscall.Statfs_t
	if syscall.Statfs(folder, &s) != nil {
		return math.MaxInt64
	}
	return int64(s.Bavail) * s.Bsize
}

// fileSystem names the kind of file system on which a folder lies.
func fileSystem(folder string) string {
	var s syscall.Statfs_t
	if syscall.Statfs(folder, &s) != nil {
		return ""
	}
	switch s.Type {
	case 0xef53:
		return "ext4"
	case 0x58465342:
		return "xfs"
	case 0x9123683e:
		return "btrfs"
	case 0x2fc12fc1:
		return "zfs"
	case 0x794c7630:
		return "overlay"
	case 0x01021994:
		return "tmpfs: nothing here is durable, and figures of appends mean little"
	}
	return fmt.Sprintf("type %#x", s.Type)
}
