//go:build !unix

package sock

import "net"

// Conn is used on Unix alone: here there is none.
type Conn struct{ net.Conn }

// Of returns nil: on this system package net's calls are as good as any.
func Of(net.Conn) *Conn { return nil }

// WriteBoth writes two pieces.
func (c *Conn) WriteBoth(p, q []byte) (written int, err error) {
	n, err := (&net.Buffers{p, q}).WriteTo(c.Conn)
	return int(n), err
}
