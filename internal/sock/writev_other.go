//go:build unix && !linux && !darwin

package sock

import "syscall"

// writev writes the first piece: the caller is ready for less than all.
func writev(fd int, a, _ []byte) (int, error) {
	return again(func() (int, error) { return syscall.Write(fd, a) })
}
