package memnet

import (
	"errors"
	"io"
	"net"
	"time"
)

// DefaultBuffer is how many bytes each direction of a connection holds before a write blocks.
const DefaultBuffer = 64 << 10

// Conn is one end of a connection in memory. It behaves as a *net.TCPConn does as far as net.Conn and CloseWrite go,
// and may be used by several goroutines at once.
type Conn struct {
	in, out     *half
	local, peer Addr
	readBy      *deadline
	writeBy     *deadline
}

// Addr is the address of an end; String gives "IP:port", so that code which parses peers' addresses works.
type Addr struct{ net.TCPAddr }

// Pipe returns the two ends of a connection whose directions hold limit bytes each (DefaultBuffer for 0).
func Pipe(limit int) (*Conn, *Conn) {
	return pipe(limit, Addr{net.TCPAddr{IP: loopback, Port: 1}}, Addr{net.TCPAddr{IP: loopback, Port: 2}})
}

func pipe(limit int, a, b Addr) (*Conn, *Conn) {
	if limit <= 0 {
		limit = DefaultBuffer
	}
	ab, ba := newHalf(limit), newHalf(limit)
	return &Conn{in: ba, out: ab, local: a, peer: b, readBy: newDeadline(), writeBy: newDeadline()},
		&Conn{in: ab, out: ba, local: b, peer: a, readBy: newDeadline(), writeBy: newDeadline()}
}

// Read reads what has arrived, waiting for the first byte; io.EOF after the peer closed its writing end.
func (c *Conn) Read(p []byte) (int, error) {
	n, err := c.in.read(p, c.readBy)
	return n, c.wrap("read", err)
}

// Write writes all of p, waiting for room.
func (c *Conn) Write(p []byte) (int, error) {
	n, err := c.out.write(p, c.writeBy)
	return n, c.wrap("write", err)
}

// CloseWrite ends the outgoing stream and leaves reading open.
func (c *Conn) CloseWrite() error {
	c.out.closeWrite()
	return nil
}

// Close closes both directions. What the peer has not read yet it can still read.
func (c *Conn) Close() error {
	c.out.closeWrite()
	c.in.closeRead()
	c.readBy.stop()
	c.writeBy.stop()
	return nil
}

// LocalAddr returns this end's address.
func (c *Conn) LocalAddr() net.Addr { return &c.local.TCPAddr }

// RemoteAddr returns the other end's address.
func (c *Conn) RemoteAddr() net.Addr { return &c.peer.TCPAddr }

// SetDeadline sets both deadlines; the zero time removes them.
func (c *Conn) SetDeadline(t time.Time) error {
	c.readBy.set(t)
	c.writeBy.set(t)
	return nil
}

// SetReadDeadline bounds pending and later reads.
func (c *Conn) SetReadDeadline(t time.Time) error {
	c.readBy.set(t)
	return nil
}

// SetWriteDeadline bounds pending and later writes.
func (c *Conn) SetWriteDeadline(t time.Time) error {
	c.writeBy.set(t)
	return nil
}

// wrap makes errors as package net makes them; io.EOF stays bare.
func (c *Conn) wrap(op string, err error) error {
	if err == nil || errors.Is(err, io.EOF) {
		return err
	}
	return &net.OpError{Op: op, Net: "memory", Source: c.LocalAddr(), Addr: c.RemoteAddr(), Err: err}
}

var _ net.Conn = (*Conn)(nil)
