//go:build linux || darwin

package sock

import "golang.org/x/sys/unix"

func writev(fd int, a, b []byte) (int, error) {
	return again(func() (int, error) { return unix.Writev(fd, [][]byte{a, b}) })
}
