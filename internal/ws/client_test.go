package ws

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/swindon-go/swindon/internal/memnet"
	"github.com/swindon-go/swindon/internal/web"
)

// rig is a server over an in-memory network, in a synctest bubble.
type rig struct {
	t      *testing.T
	l      *memnet.Listener
	opts   Options
	handle func(c *Conn) // runs in the request's goroutine after Take
	conns  chan *Conn
	closes chan CloseError // what onClose got, by serveText
}

// bubble runs test in a synctest bubble with a server whose connections handle gets.
func bubble(t *testing.T, opts Options, handle func(g *rig, c *Conn), test func(g *rig)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		if opts.Group == nil {
			opts.Group = NewGroup()
		}
		if opts.Counters == nil {
			opts.Counters = &Counters{}
		}
		g := &rig{t: t, l: memnet.Listen(0), opts: opts, conns: make(chan *Conn, 100), closes: make(chan CloseError, 100)}
		g.handle = func(c *Conn) { handle(g, c) }
		srv := &http.Server{Handler: g}
		done := make(chan struct{})
		go func() {
			defer close(done)
			_ = srv.Serve(g.l)
		}()
		test(g)
		_ = srv.Close()
		<-done
		// The bubble also checks that every goroutine ends.
		synctest.Wait()
		if n := opts.Counters.Open.Load(); n != 0 {
			t.Errorf("%d connections are still open", n)
		}
		opts.Group.clock.mu.Lock()
		if n := len(opts.Group.clock.heap); n != 0 {
			t.Errorf("%d connections are still in the clock", n)
		}
		opts.Group.clock.mu.Unlock()
	})
}

func (g *rig) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if k := Classify(r); k != Websocket {
		g.t.Errorf("Classify = %v", k)
		return
	}
	rec := &web.Record{ServerName: "swindon/1.0.0", ID: "request-1", Debug: true, Route: "ws", Authorizer: "default"}
	r = r.WithContext(web.WithRecord(r.Context(), rec))
	c, err := Take(w, r, g.opts)
	if err != nil {
		g.t.Error(err)
		return
	}
	g.conns <- c
	g.handle(c)
}

// open answers at once and serves messages by onText (nil: ignores them).
func open(onText func(c *Conn, payload []byte) error) func(g *rig, c *Conn) {
	return func(g *rig, c *Conn) {
		if err := c.Upgrade(""); err != nil {
			g.t.Error(err)
		}
		c.Release()
		c.Serve(func(p []byte) error {
			if onText == nil {
				return nil
			}
			return onText(c, p)
		}, g.onClose)
	}
}

func echo(c *Conn, p []byte) error { return c.Send(NewText(p)) }

func (g *rig) onClose(code int, reason string) { g.closes <- CloseError{code, reason} }

// closedWith waits until everything stands still and expects that exactly one connection ended, with this code.
func (g *rig) closedWith(code int, reason string) {
	g.t.Helper()
	synctest.Wait()
	select {
	case e := <-g.closes:
		if e.Code != code || e.Reason != reason {
			g.t.Errorf("onClose got %d %q, want %d %q", e.Code, e.Reason, code, reason)
		}
	default:
		g.t.Errorf("onClose was not called, want %d %q", code, reason)
	}
	select {
	case e := <-g.closes:
		g.t.Errorf("onClose was called again: %d %q", e.Code, e.Reason)
	default:
	}
}

func (g *rig) notClosed() {
	g.t.Helper()
	synctest.Wait()
	select {
	case e := <-g.closes:
		g.t.Errorf("onClose was called: %d %q", e.Code, e.Reason)
	default:
	}
}

// peer is a client that speaks bytes.
type peer struct {
	t    *testing.T
	conn net.Conn
	br   *bufio.Reader
}

const handshakeText = "GET /ws HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" +
	"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"

// dial connects and sends the handshake and what follows it, without reading.
func (g *rig) dial(after ...[]byte) *peer {
	g.t.Helper()
	c, err := g.l.Dial(context.Background())
	if err != nil {
		g.t.Fatal(err)
	}
	g.t.Cleanup(func() { _ = c.Close() })
	p := &peer{t: g.t, conn: c, br: bufio.NewReader(c)}
	p.write([]byte(handshakeText + string(join(after...))))
	return p
}

// connect is dial with the 101 read.
func (g *rig) connect() *peer {
	g.t.Helper()
	p := g.dial()
	p.head()
	return p
}

func (p *peer) write(b []byte) {
	p.t.Helper()
	if _, err := p.conn.Write(b); err != nil {
		p.t.Fatal(err)
	}
}

// head reads the 101 and returns its lines.
func (p *peer) head() []string {
	p.t.Helper()
	var lines []string
	for {
		line, err := p.br.ReadString('\n')
		if err != nil {
			p.t.Fatalf("reading the head: %v after %q", err, lines)
		}
		if line = strings.TrimSuffix(line, "\r\n"); line == "" {
			break
		}
		lines = append(lines, line)
	}
	if len(lines) == 0 || !strings.HasPrefix(lines[0], "HTTP/1.1 101 ") {
		p.t.Fatalf("head %q", lines)
	}
	return lines
}

// frame reads one frame as a server sends it.
func (p *peer) frame() (Opcode, string, error) {
	var h [2]byte
	if _, err := io.ReadFull(p.br, h[:]); err != nil {
		return 0, "", err
	}
	if h[0]&finBit == 0 || h[0]&0x70 != 0 || h[1]&maskBit != 0 {
		p.t.Errorf("bad frame from the server: %x", h)
	}
	n := int(h[1])
	switch n {
	case 126:
		var b [2]byte
		_, _ = io.ReadFull(p.br, b[:])
		n = int(binary.BigEndian.Uint16(b[:]))
	case 127:
		var b [8]byte
		_, _ = io.ReadFull(p.br, b[:])
		n = int(binary.BigEndian.Uint64(b[:]))
	}
	b := make([]byte, n)
	if _, err := io.ReadFull(p.br, b); err != nil {
		return 0, "", err
	}
	return Opcode(h[0] & 0xF), string(b), nil
}

func (p *peer) expect(op Opcode, payload string) {
	p.t.Helper()
	gotOp, got, err := p.frame()
	if err != nil || gotOp != op || got != payload {
		p.t.Fatalf("got frame %x %.100q, %v; want %x %.100q", gotOp, got, err, op, payload)
	}
}

func (p *peer) expectClose(code int, reason string) {
	p.t.Helper()
	p.expect(OpClose, closePayload(code, reason))
}

func closePayload(code int, reason string) string {
	return string(binary.BigEndian.AppendUint16(nil, uint16(code))) + reason
}

// expectEnd expects that the server sends nothing more and closes.
func (p *peer) expectEnd() {
	p.t.Helper()
	if op, payload, err := p.frame(); !errors.Is(err, io.EOF) {
		p.t.Fatalf("got frame %x %.100q, %v; want the end", op, payload, err)
	}
}

// expectNothing expects that nothing arrives until all stands still.
func (p *peer) expectNothing() {
	p.t.Helper()
	synctest.Wait()
	if n := p.br.Buffered(); n > 0 {
		b, _ := p.br.Peek(n)
		p.t.Fatalf("got %q, want nothing", b)
	}
	type result struct {
		b   byte
		err error
	}
	// Nothing may be readable: a read in the background must still be waiting when all else is.
	got := make(chan result, 1)
	ctx, cancel := context.WithCancel(context.Background())
	stop := context.AfterFunc(ctx, func() { _ = p.conn.SetReadDeadline(past) })
	go func() {
		b, err := p.br.ReadByte()
		got <- result{b, err}
	}()
	synctest.Wait()
	select {
	case r := <-got:
		p.t.Fatalf("got %x, %v; want nothing", r.b, r.err)
	default:
	}
	cancel()
	<-got
	stop()
	_ = p.conn.SetReadDeadline(never)
}
