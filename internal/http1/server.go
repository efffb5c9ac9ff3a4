package http1

import (
	"context"
	"io"
	"net"
	"net/http"
	"runtime/debug"

	"github.com/swindon-go/swindon/internal/listen"
)

// Server serves the plain requests of connections that listen.Group accepts. All methods may be called concurrently.
type Server struct {
	full  *http.Server
	conns *listen.Drainer
}

// New returns a server that hands what it does not serve itself to full. That must have been set up by listen.Prepare,
// its ConnContext must call RepairTargets if targets are to be repaired, and its ConnState must be conns.Track. Its
// Handler serves the plain requests, too, ConnContext makes the context of their connections and ErrorLog, which must
// not be nil, gets what is to be said about them; its other fields have no effect on them.
//
// A handler finds what it would with net/http, but for this: the context of a request does not know server and address,
// its Err tells of a client's leaving only after Done was called, and the map that a ResponseWriter's Header has returned
// must not be used in any way after the handler has returned. The ResponseWriter itself only answers with errors then; a
// call of it that is under way when the handler returns ends the connection.
func New(full *http.Server, conns *listen.Drainer) *Server {
	return &Server{full: full, conns: conns}
}

// Serve answers the connections of a listener until that fails, and returns its error. It may be called for any number
// of listeners.
func (s *Server) Serve(l net.Listener) error {
	for {
		nc, err := l.Accept()
		if err != nil {
			return err
		}
		lc, ok := nc.(*listen.Conn)
		if !ok {
			s.pass(nc)
			continue
		}
		s.conns.Track(lc, http.StateNew)
		go newConn(s, lc).serve()
	}
}

// pass gives a connection to the net/http server.
func (s *Server) pass(c net.Conn) {
	one := &single{conn: c}
	_ = s.full.Serve(one) // returns at once: io.EOF of the second Accept
	if one.conn != nil {  // it is closed
		_ = c.Close()
		s.conns.Track(c, http.StateClosed)
	}
}

// single is a listener that accepts one connection.
type single struct{ conn net.Conn }

func (s *single) Accept() (net.Conn, error) {
	c := s.conn
	if c == nil {
		return nil, io.EOF
	}
	s.conn = nil
	return c, nil
}

func (s *single) Close() error   { return nil }
func (s *single) Addr() net.Addr { return nowhere{} }

// nowhere is the address of a single.
type nowhere struct{}

func (nowhere) Network() string { return "handed over" }
func (nowhere) String() string  { return "handed over" }

// context is that of a connection.
func (s *Server) context(c net.Conn) context.Context {
	ctx := context.Background()
	if s.full.ConnContext != nil {
		ctx = s.full.ConnContext(ctx, c)
	}
	return ctx
}

// panicked logs the panic of a handler; that of http.ErrAbortHandler is none.
func (s *Server) panicked(c net.Conn, v any) {
	if v != http.ErrAbortHandler { //nolint:errorlint // net/http compares it this way
		s.full.ErrorLog.Printf("panic serving %v: %v\n%s", c.RemoteAddr(), v, debug.Stack())
	}
}
