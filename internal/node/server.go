package node

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/swindon-go/swindon/internal/listen"
)

// innerTimeouts are those of the listeners for backends and operators.
var innerTimeouts = listen.Timeouts{FirstByte: 30 * time.Second, Headers: 10 * time.Second, KeepAlive: 90 * time.Second}

// maxHeaderBytes bounds the head of a request to these listeners.
const maxHeaderBytes = 64 << 10

// server is an HTTP server with its sockets, for the backend API and for operators. The main listeners' is edge.Server.
type server struct {
	group *listen.Group
	http  *http.Server
	conns listen.Drainer
	log   *slog.Logger
}

func (n *Node) newServer(name string, cfg listen.Config, h http.Handler) *server {
	log := n.module("listen")
	s := &server{
		log:   log,
		group: listen.New(name, cfg, listen.Deps{Log: log, Metrics: n.listenMetrics}),
		http: &http.Server{
			Handler: h, MaxHeaderBytes: maxHeaderBytes, DisableGeneralOptionsHandler: true,
			ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelDebug),
		},
	}
	s.http.ConnState = s.conns.Track
	listen.Prepare(s.http)
	return s
}

// serve answers requests on everything that is bound and will be bound.
func (s *server) serve() {
	s.group.Serve(func(l net.Listener) error {
		err := s.http.Serve(l)
		if errors.Is(err, http.ErrServerClosed) || errors.Is(err, net.ErrClosed) {
			return nil
		}
		return err
	})
}

// stop ends listening, lets requests finish until ctx ends, and closes the rest.
func (s *server) stop(ctx context.Context) {
	s.group.Close()
	if err := s.conns.Drain(ctx, s.http); err != nil {
		s.log.Debug("Requests did not finish in time", "err", err)
	}
	_ = s.http.Close()
}
