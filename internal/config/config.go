package config

import (
	"reflect"
	"time"

	"github.com/swindon-go/swindon/broker"
	"github.com/swindon-go/swindon/gateway"
	"github.com/swindon-go/swindon/gateway/backend"
	"github.com/swindon-go/swindon/internal/access"
	"github.com/swindon-go/swindon/internal/admin"
	"github.com/swindon-go/swindon/internal/edge"
	"github.com/swindon-go/swindon/internal/ident"
	"github.com/swindon-go/swindon/internal/names"
	"github.com/swindon-go/swindon/proxy"
	"github.com/swindon-go/swindon/routing"
	"github.com/swindon-go/swindon/static"
)

// Config is the whole configuration of a node, checked: every name that another part needs exists.
type Config struct {
	// Edge has the keys of the HTTP server itself.
	Edge edge.Config `config:",inline"`
	// ShutdownTimeout bounds the time in which the process stops after the first signal.
	ShutdownTimeout time.Duration `config:"shutdown-timeout,ours"`
	// Admin is the listener for health, readiness and metrics.
	Admin admin.Config `config:"admin,ours"`
	// LogFormat is the form of the diagnostics: lines as the original writes them, or JSON.
	LogFormat LogFormat `config:"log-format,enum=text|json,ours"`
	// Routing maps hosts and paths to handlers: `HOST[/PATH]: HANDLER [@AUTHORIZER]`.
	Routing []routing.Rule `config:"routing"`

	Sections `config:",inline"`

	// NATS says which NATS servers the node uses, the embedded one or others.
	NATS broker.Config `config:"nats,ours"`
	// Replication makes a mesh of the embedded NATS servers of several nodes.
	Replication broker.MeshConfig `config:"replication"`
	// SetUser is the user that the process becomes after it has bound its addresses; empty: it stays.
	SetUser string `config:"set-user,opt"`
	// SetGroup is the group that the process becomes; empty: the user's, if that is set.
	SetGroup string `config:"set-group,opt"`
	// Mixins map prefixes of names to files with further sections.
	Mixins map[string]string `config:"mixins"`

	// HasNATS tells that the section nats is there, with or without content.
	HasNATS bool `config:"-"`
}

// Sections are the parts that mixin files may hold, too.
type Sections struct {
	// Handlers answer requests.
	Handlers map[string]Handler `config:"handlers,ident"`
	// Authorizers decide whether a request may go on.
	Authorizers map[string]Authorizer `config:"authorizers,ident"`
	// SessionPools are groups of websockets with their own users, topics and API for backends.
	SessionPools map[names.Pool]gateway.Config `config:"session-pools,ident"`
	// HTTPDestinations are backends that speak HTTP.
	HTTPDestinations map[string]proxy.DestinationConfig `config:"http-destinations,ident"`
	// NATSDestinations are backends that speak NATS.
	NATSDestinations map[string]backend.NATSConfig `config:"nats-destinations,ident,ours"`
	// LDAPDestinations are LDAP servers.
	LDAPDestinations map[string]access.LDAPDestinationConfig `config:"ldap-destinations,ident,later"`
	// Networks are lists of subnets: `IP/BITS`, or `IP`, which means /24 (IPv4) or /128 (IPv6).
	Networks access.Networks `config:"networks,ident"`
	// LogFormats are templates for log lines; debug-log is that of the request log.
	LogFormats map[string]LogFormatConfig `config:"log-formats,ident"`
	// DiskPools bound the file-system work of static handlers.
	DiskPools map[string]static.DiskPoolConfig `config:"disk-pools,ident"`
}

// LogFormat is the form of the diagnostics.
type LogFormat string

// The forms of the diagnostics.
const (
	LogText LogFormat = "text"
	LogJSON LogFormat = "json"
)

// LogFormatConfig is one entry of log-formats.
type LogFormatConfig struct {
	// Template is text with `{{ variable }}` in it; white space collapses to single blanks.
	Template edge.LogFormat `config:"template,req"`
}

// NeedsNATS tells whether the node needs a NATS server at all: it does with a session pool or a section nats
// (decision D46).
func (c *Config) NeedsNATS() bool { return c.HasNATS || len(c.SessionPools) > 0 }

// Default returns the configuration of an empty file.
func Default() *Config {
	c := defaults()
	c.insertDefaults()
	return &c
}

// defaults is what decoding begins with.
func defaults() Config {
	c := Config{
		Edge:            edge.DefaultConfig(),
		ShutdownTimeout: 10 * time.Second,
		LogFormat:       LogText,
		NATS:            broker.DefaultConfig(),
		Replication:     broker.DefaultMeshConfig(),
	}
	c.Edge.ServerName = ident.Product
	return c
}

// defaultsOf returns an addressable value of an entry's type with the type's defaults.
func defaultsOf(t reflect.Type) reflect.Value {
	v := reflect.New(t).Elem()
	switch p := v.Addr().Interface().(type) {
	case *gateway.Config:
		*p = gateway.DefaultConfig()
	case *proxy.DestinationConfig:
		*p = proxy.DefaultDestinationConfig()
	case *backend.NATSConfig:
		*p = backend.DefaultNATSConfig()
	}
	return v
}

// insertDefaults adds the names that exist without being configured (configuration §2.11).
func (c *Config) insertDefaults() {
	insert(&c.Handlers, routing.DefaultHandler, Handler(DefaultHandler{}))
	insert(&c.Authorizers, routing.DefaultAuthorizer, Authorizer(AllowAllAuthorizer{}))
	// The template is a constant; a test parses it.
	format, _ := parseLogFormat(defaultRequestLog)
	insert(&c.LogFormats, requestLog, LogFormatConfig{Template: format})
	insert(&c.DiskPools, static.DefaultPool, static.DefaultDiskPoolConfig())
	c.Edge.RequestLog = c.LogFormats[requestLog].Template
}

func insert[V any](m *map[string]V, name string, v V) {
	if *m == nil {
		*m = map[string]V{}
	}
	if _, ok := (*m)[name]; !ok {
		(*m)[name] = v
	}
}
