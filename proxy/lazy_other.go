//go:build !unix

package proxy

import (
	"io"
	"net"
)

// lazyReader holds a buffer while it waits on systems where that cannot be avoided.
type lazyReader struct {
	src net.Conn
}

func newLazyReader(src net.Conn) *lazyReader { return &lazyReader{src: src} }

// forward waits for bytes and writes them to dst.
func (l *lazyReader) forward(dst io.Writer) error {
	buf := newBuffer()
	defer buf.free()
	n, err := l.src.Read(buf.p)
	if n > 0 {
		_, err = dst.Write(buf.p[:n])
	}
	return err
}
