package proxy

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
)

// Sizes for bodies that are moved inside the kernel.
const (
	// minSplice is from where that pays. What response-buffer-size can hold goes through memory instead, so that the
	// backend is free before a slow client has everything.
	minSplice = 1 << 20
	// spliceStep is how much is moved in one go at most.
	spliceStep = 8 << 20
)

// splice writes first and then moves the body from socket to socket, without copying it through our memory, until no
// more than limit bytes are left. It does nothing but write first where either side is no socket.
func (p *passage) splice(first piece) error {
	if err := p.write(first, nil); err != nil {
		return err
	}
	x := p.x
	src, ok := x.conn.Conn.(*net.TCPConn)
	dst, ok2 := p.w.(io.ReaderFrom)
	if !ok || !ok2 || len(x.conn.unread()) > 0 {
		return nil
	}
	x.watch(p.ctx)
	for x.resp.left > p.limit {
		x.conn.extend(x.set.requestTimeout)
		want := min(x.resp.left-p.limit, spliceStep)
		n, err := dst.ReadFrom(&io.LimitedReader{R: src, N: want})
		x.resp.left -= n
		switch {
		case errors.Is(err, os.ErrDeadlineExceeded) && n > 0 && !x.conn.aborted.Load():
			// There was progress before the time was over: the backend is slow, not silent.
		case err != nil:
			return fmt.Errorf("backend %s: %w", x.backend, explain(p.ctx, x.conn, err))
		case n < want:
			return fmt.Errorf("backend %s: %w", x.backend, explain(p.ctx, x.conn, io.ErrUnexpectedEOF))
		}
	}
	x.resp.done = x.resp.left == 0
	return nil
}
