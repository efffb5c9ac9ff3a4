//go:build unix

package sock

import (
	"errors"
	"syscall"
)

func read(fd int, p []byte) (int, error) {
	return again(func() (int, error) { return syscall.Read(fd, p) })
}

func write(fd int, p []byte) (int, error) {
	return again(func() (int, error) { return syscall.Write(fd, p) })
}

// again makes a call until no signal has come in between. What it returns besides an error is never negative.
func again(call func() (int, error)) (int, error) {
	for {
		if n, err := call(); !errors.Is(err, syscall.EINTR) {
			return max(n, 0), err
		}
	}
}
