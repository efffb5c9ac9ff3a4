package edge

import "time"

// Config are the keys at the top level that concern the HTTP server itself. The tags are read by internal/config.
type Config struct {
	// Listen are the addresses on which requests are served, each "host:port"; a missing port is 80.
	// Host names are resolved to all their addresses, again and again.
	Listen []string `config:"listen,addr"`
	// MaxConnections bounds the connections of all these addresses together; further ones wait to be accepted.
	MaxConnections int `config:"max-connections,min=1,max=2147483648"`
	// PipelineDepth is accepted and has no effect: the requests of one connection are served one after the other.
	PipelineDepth int `config:"pipeline-depth,min=1,max=10000"`
	// ListenErrorTimeout is the pause after a failed accept.
	ListenErrorTimeout time.Duration `config:"listen-error-timeout"`
	// FirstByteTimeout bounds the time from the connection to its first byte.
	FirstByteTimeout time.Duration `config:"first-byte-timeout"`
	// KeepAliveTimeout is how long an idle connection is kept after a response.
	KeepAliveTimeout time.Duration `config:"keep-alive-timeout"`
	// HeadersTimeout bounds the time from the first byte of a request to the end of its headers.
	HeadersTimeout time.Duration `config:"headers-timeout"`
	// InputBodyByteTimeout is accepted and has no effect.
	InputBodyByteTimeout time.Duration `config:"input-body-byte-timeout"`
	// InputBodyWholeTimeout bounds the time in which the body of a request comes in.
	InputBodyWholeTimeout time.Duration `config:"input-body-whole-timeout"`
	// OutputBodyByteTimeout is accepted and has no effect.
	OutputBodyByteTimeout time.Duration `config:"output-body-byte-timeout"`
	// OutputBodyWholeTimeout bounds the time in which a response is made and sent, the wait for a backend included.
	OutputBodyWholeTimeout time.Duration `config:"output-body-whole-timeout"`
	// DebugRouting adds headers to every response that tell which route, file and authorizer answered.
	DebugRouting bool `config:"debug-routing"`
	// DebugLogging writes a line per request to standard output, in the log format named debug-log.
	DebugLogging bool `config:"debug-logging"`
	// ServerName is the Server header of every response; null: there is none.
	ServerName string `config:"server-name,opt"`
	// RequestLog is the log format named debug-log, read into its parts.
	RequestLog LogFormat `config:"-"`
}

// DefaultConfig has every default but ServerName, which holds the version, and RequestLog. Both are set by
// internal/config.
func DefaultConfig() Config {
	return Config{
		MaxConnections:         1000,
		PipelineDepth:          2,
		ListenErrorTimeout:     100 * time.Millisecond,
		FirstByteTimeout:       5 * time.Second,
		KeepAliveTimeout:       90 * time.Second,
		HeadersTimeout:         10 * time.Second,
		InputBodyByteTimeout:   15 * time.Second,
		InputBodyWholeTimeout:  time.Hour,
		OutputBodyByteTimeout:  15 * time.Second,
		OutputBodyWholeTimeout: time.Hour,
	}
}

// LogFormat is a template of the request log: what stands on one line, in order.
type LogFormat []LogPart

// LogPart is a piece of a LogFormat: a variable, or literal text when Variable is empty.
type LogPart struct {
	Variable LogVariable
	Text     string
}

// LogVariable is a fact about a request that a log line may show.
type LogVariable string

// The variables of log formats.
const (
	LogClientIP   LogVariable = "request.client_ip"
	LogHost       LogVariable = "request.host" // as sent, with port; "-" without
	LogMethod     LogVariable = "request.method"
	LogPath       LogVariable = "request.path"    // with query; empty for "*"
	LogVersion    LogVariable = "request.version" // "HTTP/1.1"
	LogStatusCode LogVariable = "response.status_code"
)
