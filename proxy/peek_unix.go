//go:build unix

package proxy

import (
	"errors"
	"syscall"

	"github.com/swindon-go/swindon/internal/sock"
)

// alive tells whether an idle connection may be used: the backend has neither closed it nor sent anything. It does not
// block. Connections that are no sockets are taken on trust.
func (c *conn) alive() bool {
	if c.raw == nil {
		return true
	}
	quiet := false
	err := c.raw.Read(func(fd uintptr) bool {
		quiet = sock.Silent(int(fd))
		return true
	})
	return err == nil && quiet
}

// isReset tells whether the other side has closed the connection altogether.
func isReset(err error) bool {
	return errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE)
}
