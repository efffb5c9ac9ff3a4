package proxy

import (
	"time"

	"github.com/swindon-go/swindon/internal/names"
)

// DestinationConfig is one entry of http-destinations. The tags are read by internal/config.
type DestinationConfig struct {
	// Addresses of the backends, each "host:port"; a missing port is 80. Host names are resolved to all
	// their addresses, again and again. A name that begins with "_" never resolves.
	Addresses []string `config:"addresses,req,addr,atleast=1"`
	// LoadBalancing says how a backend is chosen: requests wait in one queue for the first free connection.
	LoadBalancing LoadBalancing `config:"load-balancing,enum=queue"`
	// QueueSizeFor503 is how many requests may wait for a free connection; further ones are answered 503 at once.
	QueueSizeFor503 int `config:"queue-size-for-503,min=0,max=4294967296"`
	// BackendConnectionsPerIPPort bounds the connections to one backend address. The number of requests in progress on
	// one address is this, times in-flight-requests-per-backend-connection.
	BackendConnectionsPerIPPort int `config:"backend-connections-per-ip-port,min=1,max=100000"`
	// InFlightRequestsPerBackendConnection multiplies backend-connections-per-ip-port; one connection carries one
	// request at a time.
	InFlightRequestsPerBackendConnection int `config:"in-flight-requests-per-backend-connection,min=1,max=1000"`
	// KeepAliveTimeout is how long an idle connection to a backend is kept.
	KeepAliveTimeout time.Duration `config:"keep-alive-timeout"`
	// MaxRequestTimeout bounds the time from sending a request to the head of the response, and then the silence
	// between bytes of the body.
	MaxRequestTimeout time.Duration `config:"max-request-timeout"`
	// SafePipelineTimeout is accepted and has no effect: requests are never pipelined to a backend.
	SafePipelineTimeout time.Duration `config:"safe-pipeline-timeout"`
	// OverrideHostHeader is the Host header of the requests to the backend; empty: the client's.
	OverrideHostHeader string `config:"override-host-header,opt"`
	// RequestIDHeader is the header in which the backend gets the request id; empty: none.
	RequestIDHeader string `config:"request-id-header,opt"`
	// QueueTimeout bounds the wait for a free backend, refused connections included; then 503.
	QueueTimeout time.Duration `config:"queue-timeout,min=1ms,ours"`
	// MaxTunnelsPerIPPort bounds the websockets and other upgraded connections to one backend address; when all are
	// full, 503 with Retry-After.
	MaxTunnelsPerIPPort int `config:"max-tunnels-per-ip-port,min=0,max=4294967296,ours"`
}

// LoadBalancing is the way a backend is chosen.
type LoadBalancing string

// LoadBalancingQueue is the only way: one queue in front of all connections.
const LoadBalancingQueue LoadBalancing = "queue"

// DefaultDestinationConfig has every default; Addresses is empty and must be filled in.
func DefaultDestinationConfig() DestinationConfig {
	return DestinationConfig{
		LoadBalancing:                        LoadBalancingQueue,
		QueueSizeFor503:                      100_000,
		BackendConnectionsPerIPPort:          100,
		InFlightRequestsPerBackendConnection: 2,
		KeepAliveTimeout:                     4 * time.Second,
		MaxRequestTimeout:                    30 * time.Second,
		SafePipelineTimeout:                  300 * time.Millisecond,
		QueueTimeout:                         30 * time.Second,
		MaxTunnelsPerIPPort:                  10_000,
	}
}

// HandlerConfig is a !Proxy handler. The tags are read by internal/config.
type HandlerConfig struct {
	// Destination is the name of the http destination, with the path that is put before the request's.
	Destination names.Destination `config:"destination,req"`
	// Mode is how requests are passed on.
	Mode Mode `config:"mode,enum=forward"`
	// IPHeader is the header in which the backend gets the client's address, without port; empty: none. One that the
	// client sent stays, after ours.
	IPHeader string `config:"ip-header,opt"`
	// RequestIDHeader is deprecated and has no effect but a warning: it belongs to the destination.
	RequestIDHeader string `config:"request-id-header,opt"`
	// MaxPayloadSize bounds the body of a request, in bytes; a larger one is answered 413.
	MaxPayloadSize int64 `config:"max-payload-size,min=0,max=1099511627776,size"`
	// StreamRequests passes the body on while it comes in, instead of gathering it first.
	StreamRequests bool `config:"stream-requests"`
	// ResponseBufferSize bounds what waits in memory for a slow client, in bytes.
	ResponseBufferSize int64 `config:"response-buffer-size,min=0,max=1099511627776,size"`
	// ExtraHeaders are added to every response that is no error page.
	ExtraHeaders map[string]string `config:"extra-headers,ours"`
}

// Mode is how !Proxy passes requests on.
type Mode string

// ModeForward is the only mode: the whole original path goes to the backend.
const ModeForward Mode = "forward"

// DefaultHandlerConfig has every default; Destination is empty and must be filled in.
func DefaultHandlerConfig() HandlerConfig {
	return HandlerConfig{Mode: ModeForward, MaxPayloadSize: 10 << 20, ResponseBufferSize: 10 << 20}
}
