package edge

import (
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/swindon-go/swindon/internal/http1"
	"github.com/swindon-go/swindon/internal/ident"
	"github.com/swindon-go/swindon/internal/listen"
)

// MaxHeaderBytes bounds a request's head; net/http adds 4 KiB and answers 431 beyond.
const MaxHeaderBytes = 64 << 10

// Deps are what a server works with.
type Deps struct {
	Log *slog.Logger
	IDs *ident.Generator
	// Registerer gets the server's metrics.
	Registerer prometheus.Registerer
	// RequestLog gets the lines of the request log: standard output. Each line is one Write.
	RequestLog io.Writer
}

// Server answers the requests of the main listeners. All methods may be called concurrently.
type Server struct {
	d       Deps
	plain   *http1.Server // accepts, and serves the plain requests
	http    http.Server   // serves the others
	table   atomic.Pointer[Table]
	metrics metrics

	logging sync.Mutex // guards d.RequestLog and line
	line    []byte     // used again for each line

	conns listen.Drainer
}

// New returns a server for a table.
func New(t *Table, d Deps) (*Server, error) {
	s := &Server{d: d}
	s.table.Store(t)
	if err := s.metrics.register(d.Registerer); err != nil {
		return nil, err
	}
	s.http = http.Server{
		Handler:                      s,
		DisableGeneralOptionsHandler: true,
		MaxHeaderBytes:               MaxHeaderBytes,
		ConnContext:                  newClient,
		ConnState:                    s.conns.Track,
		ErrorLog:                     slog.NewLogLogger(d.Log.Handler(), slog.LevelWarn),
	}
	s.http.Protocols = new(http.Protocols)
	s.http.Protocols.SetHTTP1(true)
	listen.Prepare(&s.http)
	s.plain = http1.New(&s.http, &s.conns)
	return s, nil
}

// Apply swaps the table: requests that have begun keep the old one.
func (s *Server) Apply(t *Table) { s.table.Store(t) }

// Serve answers the connections of a listener until that is closed. It may be called for any number of listeners.
func (s *Server) Serve(l net.Listener) error { return s.plain.Serve(l) }

// Requests is the number of requests so far, those refused included.
func (s *Server) Requests() uint64 { return s.metrics.requests.Load() }

// Drain closes the connections that wait for a request and lets those with one under way finish (decision D41). It
// returns when none is left, or with the context's error. Listeners must be closed before, taken-over connections are
// their owners' business. Afterwards the server can only be closed.
func (s *Server) Drain(ctx context.Context) error { return s.conns.Drain(ctx, &s.http) }

// Close closes every connection that is not taken over.
func (s *Server) Close() error {
	s.conns.Close()
	return s.http.Close()
}
