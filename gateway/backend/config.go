package backend

import "time"

// NATSConfig is one entry of nats-destinations. The tags are read by internal/config.
type NATSConfig struct {
	// Subject stands between the session pool's root and the method: <prefix>.<pool>.<subject>.<method>. Tokens of
	// letters, digits, "-" and "_", joined with dots.
	Subject string `config:"subject,ours"`
	// MaxRequestTimeout bounds the time from sending a call to its answer; then http_error 500, and the call is not
	// repeated.
	MaxRequestTimeout time.Duration `config:"max-request-timeout,min=1ms,ours"`
	// NoRespondersTimeout is how long a call that nobody takes is tried again; then http_error 503.
	NoRespondersTimeout time.Duration `config:"no-responders-timeout,ours"`
	// MaxInFlight bounds the calls that wait for an answer; beyond: too_many_requests.
	MaxInFlight int `config:"max-in-flight,min=1,max=4294967296,ours"`
}

// DefaultNATSConfig has every default.
func DefaultNATSConfig() NATSConfig {
	return NATSConfig{
		Subject:             "rpc",
		MaxRequestTimeout:   30 * time.Second,
		NoRespondersTimeout: 5 * time.Second,
		MaxInFlight:         10_000,
	}
}
