//go:build !unix

package proxy

// alive cannot look at an idle connection on this system: its end is seen when it is used.
func (c *conn) alive() bool { return true }
