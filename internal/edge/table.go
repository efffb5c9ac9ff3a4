package edge

import (
	"net/http"
	"sync/atomic"
	"time"

	"github.com/swindon-go/swindon/internal/listen"
	"github.com/swindon-go/swindon/internal/web"
	"github.com/swindon-go/swindon/routing"
)

// Authorizer decides whether a request may go on.
type Authorizer interface {
	// Authorize returns 0 to let the request go on, else the status of the error page that ends it. Its reasons go to
	// rec.Allow and rec.Deny.
	Authorize(r *http.Request, rec *web.Record) int
}

// Target is what a route leads to. It is immutable.
type Target struct {
	HandlerName    string
	Handler        http.Handler
	AuthorizerName string
	Authorizer     Authorizer
}

// Table is everything that the requests of one configuration are served by. A server swaps it whole: each request
// keeps the table it began with. It is immutable.
type Table struct {
	routes     *routing.Table[*Target]
	debug      bool
	serverName string
	log        LogFormat // nil without a request log
	inputBody  time.Duration
	outputBody time.Duration
	warned     atomic.Bool // that the log format holds an unknown variable
}

// NewTable returns the table of a configuration with its routes.
func NewTable(cfg Config, routes *routing.Table[*Target]) *Table {
	t := &Table{
		routes: routes, debug: cfg.DebugRouting, serverName: cfg.ServerName,
		inputBody: cfg.InputBodyWholeTimeout, outputBody: cfg.OutputBodyWholeTimeout,
	}
	if cfg.DebugLogging {
		t.log = cfg.RequestLog
	}
	return t
}

// ListenConfig is the part of a configuration that the listeners need.
func ListenConfig(cfg Config) listen.Config {
	return listen.Config{
		Addresses: cfg.Listen, MaxConnections: cfg.MaxConnections, ErrorPause: cfg.ListenErrorTimeout,
		Timeouts: listen.Timeouts{FirstByte: cfg.FirstByteTimeout, Headers: cfg.HeadersTimeout, KeepAlive: cfg.KeepAliveTimeout},
	}
}
