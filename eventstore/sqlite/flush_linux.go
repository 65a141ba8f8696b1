package sqlite

import (
	"os"
	"syscall"
)

// flush makes the content of a file durable. Its size must be durable already.
func flush(f *os.File) error {
	for {
		if err := syscall.Fdatasync(int(f.Fd())); err != syscall.EINTR {
			return err
		}
	}
}
