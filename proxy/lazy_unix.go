//go:build unix

package proxy

import (
	"errors"
	"io"
	"net"
	"syscall"

	"github.com/swindon-go/swindon/internal/sock"
)

// lazyReader reads from a connection without holding a buffer while nothing comes.
type lazyReader struct {
	src net.Conn
	raw syscall.RawConn // nil when src is no socket
	buf *buffer
	n   int
	err error
	try func(fd uintptr) bool
}

func newLazyReader(src net.Conn) *lazyReader {
	l := &lazyReader{src: src}
	l.try = l.tryRead
	if s, ok := src.(syscall.Conn); ok {
		l.raw, _ = s.SyscallConn()
	}
	return l
}

// forward waits for bytes and writes them to dst.
func (l *lazyReader) forward(dst io.Writer) error {
	err := l.read()
	if err == nil {
		_, err = dst.Write(l.buf.p[:l.n])
	}
	l.buf.free()
	l.buf = nil
	return err
}

// read fills a new buffer with what comes next, at least one byte.
func (l *lazyReader) read() error {
	if l.raw == nil {
		l.buf = newBuffer()
		n, err := l.src.Read(l.buf.p)
		l.n = n
		if n > 0 {
			return nil
		}
		return err
	}
	if err := l.raw.Read(l.try); err != nil {
		return err
	}
	switch {
	case l.err != nil:
		return l.err
	case l.n == 0:
		return io.EOF
	}
	return nil
}

// tryRead reads without waiting; false makes the runtime wait until the socket is readable.
func (l *lazyReader) tryRead(fd uintptr) bool {
	l.buf = newBuffer()
	l.n, l.err = sock.Read(int(fd), l.buf.p)
	if !errors.Is(l.err, syscall.EAGAIN) {
		return true
	}
	l.buf.free()
	l.buf = nil
	return false
}
