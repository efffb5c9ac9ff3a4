//go:build !unix

package proxy

import "time"

// alive cannot look at an idle connection on this system: its end is seen when it is used.
func (c *conn) alive() bool { return true }

// isReset cannot tell on this system.
func isReset(error) bool { return false }

// swapper has nothing to hold on this system.
type swapper struct{}

// swap does nothing on this system: the caller goes on by ordinary means.
func (c *conn) swap([]byte, time.Duration, *turn) (n int, answered bool, err error) {
	return 0, false, nil
}
