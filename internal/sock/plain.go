//go:build unix && !(linux && (amd64 || arm64) && !race)

package sock

import (
	"errors"
	"syscall"
)

// Read is one call of read(2). It returns syscall.EAGAIN when nothing is there, and 0 without an error at the end.
func Read(fd int, p []byte) (int, error) { return read(fd, p) }

// Silent tells whether there is nothing to read: no bytes, no end and no error.
func Silent(fd int) bool {
	var b [1]byte
	_, _, err := syscall.Recvfrom(fd, b[:], syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
	return errors.Is(err, syscall.EAGAIN)
}

// Write is one call of write(2). It may write less than p; it returns syscall.EAGAIN when there is no room at all.
func Write(fd int, p []byte) (int, error) { return write(fd, p) }

// WriteBoth is Write for two pieces, of which neither is empty: writev(2).
func WriteBoth(fd int, a, b []byte) (int, error) { return writev(fd, a, b) }
