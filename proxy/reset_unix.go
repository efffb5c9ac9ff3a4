//go:build unix

package proxy

import (
	"errors"
	"syscall"
)

// isReset tells whether the other side has closed the connection altogether.
func isReset(err error) bool {
	return errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE)
}
