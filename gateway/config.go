package gateway

import (
	"time"

	"github.com/swindon-go/swindon/gateway/replica"
	"github.com/swindon-go/swindon/internal/names"
	"github.com/swindon-go/swindon/lattice"
)

// Config is one entry of session-pools. The tags are read by internal/config.
type Config struct {
	// Listen are the addresses of the API that backends call, each "host:port"; a missing port is 80.
	Listen []string `config:"listen,addr"`
	// PipelineDepth is accepted and has no effect: the requests of one connection are served one after the other.
	PipelineDepth int `config:"pipeline-depth,min=1,max=10000"`
	// MaxConnections bounds the connections of backends; further ones wait to be accepted.
	MaxConnections int `config:"max-connections,min=1,max=2147483648"`
	// ListenErrorTimeout is the pause after a failed accept.
	ListenErrorTimeout time.Duration `config:"listen-error-timeout"`
	// MaxPayloadSize bounds the body of one request of a backend, in bytes; beyond: 413.
	MaxPayloadSize int64 `config:"max-payload-size,min=1,max=2147483648,size"`
	// InactivityHandlers are the destinations that are told that a user's session has become inactive.
	InactivityHandlers []names.Destination `config:"inactivity-handlers"`
	// NewConnectionIdleTimeout is how long a user counts as active after a new connection.
	NewConnectionIdleTimeout time.Duration `config:"new-connection-idle-timeout"`
	// ClientMinIdleTimeout is the shortest time that a client may ask to count as active.
	ClientMinIdleTimeout time.Duration `config:"client-min-idle-timeout"`
	// ClientMaxIdleTimeout is the longest time that a client may ask to count as active.
	ClientMaxIdleTimeout time.Duration `config:"client-max-idle-timeout"`
	// ClientDefaultIdleTimeout is accepted and has no effect.
	ClientDefaultIdleTimeout time.Duration `config:"client-default-idle-timeout"`

	// PingInterval is the time between two pings to a client; each connection deviates a little.
	PingInterval time.Duration `config:"ping-interval,min=1ms,ours"`
	// PingTimeout is how long a pong may take before the connection counts as dead (close code 4008).
	PingTimeout time.Duration `config:"ping-timeout,min=1ms,ours"`
	// WriteTimeout bounds one write to a client.
	WriteTimeout time.Duration `config:"write-timeout,min=1ms,ours"`
	// MaxFrameSize bounds one message of a client, in bytes; beyond: close code 1009.
	MaxFrameSize int64 `config:"max-frame-size,min=1,max=2147483648,size,ours"`
	// MaxCallsInFlight is the number of calls of one connection at which reading from it pauses.
	MaxCallsInFlight int `config:"max-calls-in-flight,min=1,max=4294967296,ours"`
	// MaxSubscriptionsPerConnection bounds the topics of one connection; beyond: 400.
	MaxSubscriptionsPerConnection int `config:"max-subscriptions-per-connection,min=1,max=4294967296,ours"`
	// MaxOutgoingBytes bounds what waits to be sent to one client, in bytes; beyond: close code 4013.
	// Above half of it, changes of one lattice namespace are joined into one message.
	MaxOutgoingBytes int `config:"max-outgoing-bytes,min=1,max=2147483648,size,ours"`
	// MaxOutgoingFrames bounds the messages that wait to be sent to one client; beyond: close code 4013. Above
	// half of it, changes of one lattice namespace are joined into one.
	MaxOutgoingFrames int `config:"max-outgoing-frames,min=1,max=4294967296,ours"`
	// MaxPendingBytes bounds what is kept for one connection before its hello, in bytes; beyond: close code 4013.
	MaxPendingBytes int `config:"max-pending-bytes,min=1,max=2147483648,size,ours"`
	// MaxPending bounds the connections that are being authorized; beyond: 503 with Retry-After.
	MaxPending int `config:"max-pending,min=1,max=4294967296,ours"`
	// MaxConnectionsPerUser bounds the connections of one user on one node; beyond, the oldest is closed (4002).
	MaxConnectionsPerUser int `config:"max-connections-per-user,min=1,max=4294967296,ours"`
	// APITokens are the bearer tokens, one of which a backend must show; none: the API is open.
	APITokens []names.Secret `config:"api-tokens,ours"`
	// StrictAPI answers 404 instead of 204 to a request for a connection that is gone.
	StrictAPI bool `config:"strict-api,ours"`

	// Replica says how lattice documents live.
	Replica replica.Config `config:",inline"`
	// Limits bound the lattices.
	Limits lattice.Limits `config:",inline"`
}

// DefaultConfig has every default.
func DefaultConfig() Config {
	return Config{
		PipelineDepth:                 2,
		MaxConnections:                1000,
		ListenErrorTimeout:            100 * time.Millisecond,
		MaxPayloadSize:                10 << 20,
		NewConnectionIdleTimeout:      time.Minute,
		ClientMinIdleTimeout:          time.Second,
		ClientMaxIdleTimeout:          2 * time.Hour,
		ClientDefaultIdleTimeout:      time.Second,
		PingInterval:                  25 * time.Second,
		PingTimeout:                   10 * time.Second,
		WriteTimeout:                  30 * time.Second,
		MaxFrameSize:                  10 << 20,
		MaxCallsInFlight:              100,
		MaxSubscriptionsPerConnection: 10_000,
		MaxOutgoingBytes:              4 << 20,
		MaxOutgoingFrames:             4096,
		MaxPendingBytes:               1 << 20,
		MaxPending:                    10_000,
		MaxConnectionsPerUser:         100,
		Replica:                       replica.DefaultConfig(),
		Limits:                        lattice.DefaultLimits(),
	}
}

// HandlerConfig is a !SwindonLattice handler. The tags are read by internal/config.
type HandlerConfig struct {
	// SessionPool is the session pool that owns the handler's websockets.
	SessionPool names.Pool `config:"session-pool,req"`
	// HTTPRoute is the handler for requests that are no websocket handshake; empty: 404.
	HTTPRoute string `config:"http-route,opt,ident"`
	// MessageHandlers say which destination serves which methods; the pattern "*" must be among them.
	MessageHandlers []MessageHandler `config:"message-handlers"`
	// Compatibility is the version of the original whose behaviour is wanted.
	Compatibility Compatibility `config:"compatibility"`
	// AllowedOrigins are the Origin headers that a handshake may have; none listed: any is accepted.
	AllowedOrigins []string `config:"allowed-origins,ours"`
	// ForwardHeaders are the headers of the handshake that the backend gets with the authorization.
	ForwardHeaders []string `config:"forward-headers,ours"`
	// ForwardRemoteAddr gives the client's address to the backend with the authorization.
	ForwardRemoteAddr bool `config:"forward-remote-addr,ours"`
}

// MessageHandler sends the methods of one pattern to a destination, over HTTP or NATS. A pattern is "*", a glob such as
// "chat.*", or an exact method (protocol §5).
type MessageHandler struct {
	Pattern     string
	Destination names.Destination
}

// DefaultHandlerConfig has every default; SessionPool and MessageHandlers must be filled in.
func DefaultHandlerConfig() HandlerConfig { return HandlerConfig{Compatibility: Latest} }

// Compatibility is one of three levels of behaviour (protocol §2.1).
type Compatibility int

// The levels, from the oldest on.
const (
	// Old5 is below v0.6.0.
	Old5 Compatibility = iota + 1
	// Old6 is from v0.6.0 on and below v0.7.0.
	Old6
	// Latest is v0.7.0 and later.
	Latest
)

// String names the level.
func (c Compatibility) String() string {
	switch c {
	case Old5:
		return "old-5"
	case Old6:
		return "old-6"
	case Latest:
		return "latest"
	}
	return "unknown"
}
