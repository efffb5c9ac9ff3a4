package config

import (
	"reflect"
	"strings"

	"github.com/swindon-go/swindon/gateway"
	"github.com/swindon-go/swindon/internal/access"
	"github.com/swindon-go/swindon/internal/builtin"
	"github.com/swindon-go/swindon/proxy"
	"github.com/swindon-go/swindon/static"
)

// Handler is what answers the requests of a route: one of the types below, and no other.
type Handler interface{ isHandler() }

// The handlers, each with the Config of the package that has it.
type (
	// StaticHandler is !Static.
	StaticHandler struct{ static.Config }
	// SingleFileHandler is !SingleFile.
	SingleFileHandler struct{ static.SingleFileConfig }
	// VersionedStaticHandler is !VersionedStatic, which comes with a later release.
	VersionedStaticHandler struct{ static.VersionedConfig }
	// ProxyHandler is !Proxy.
	ProxyHandler struct{ proxy.HandlerConfig }
	// EmptyGifHandler is !EmptyGif.
	EmptyGifHandler struct{ builtin.EmptyGifConfig }
	// SelfStatusHandler is !SelfStatus.
	SelfStatusHandler struct{ builtin.SelfStatusConfig }
	// BaseRedirectHandler is !BaseRedirect.
	BaseRedirectHandler struct{ builtin.BaseRedirectConfig }
	// StripWWWRedirectHandler is !StripWWWRedirect.
	StripWWWRedirectHandler struct{}
	// HTTPBinHandler is !HttpBin, which comes with a later release.
	HTTPBinHandler struct{}
	// WebsocketEchoHandler is !WebsocketEcho.
	WebsocketEchoHandler struct{}
	// LatticeHandler is !SwindonLattice.
	LatticeHandler struct{ gateway.HandlerConfig }
	// DefaultHandler is the handler named default unless the configuration defines it: 404.
	DefaultHandler struct{}
)

func (StaticHandler) isHandler()           {}
func (SingleFileHandler) isHandler()       {}
func (VersionedStaticHandler) isHandler()  {}
func (ProxyHandler) isHandler()            {}
func (EmptyGifHandler) isHandler()         {}
func (SelfStatusHandler) isHandler()       {}
func (BaseRedirectHandler) isHandler()     {}
func (StripWWWRedirectHandler) isHandler() {}
func (HTTPBinHandler) isHandler()          {}
func (WebsocketEchoHandler) isHandler()    {}
func (LatticeHandler) isHandler()          {}
func (DefaultHandler) isHandler()          {}

// Authorizer decides whether a request may go on: one of the types below, and no other.
type Authorizer interface{ isAuthorizer() }

// The authorizers.
type (
	// AllowAllAuthorizer is !AllowAll, and the authorizer named default unless the configuration defines it.
	AllowAllAuthorizer struct{}
	// SourceIPAuthorizer is !SourceIp.
	SourceIPAuthorizer struct{ access.SourceIPConfig }
	// LDAPAuthorizer is !Ldap, which comes with a later release.
	LDAPAuthorizer struct{ access.LDAPConfig }
)

func (AllowAllAuthorizer) isAuthorizer() {}
func (SourceIPAuthorizer) isAuthorizer() {}
func (LDAPAuthorizer) isAuthorizer()     {}

// variant is one tag of a tagged value.
type variant[T any] struct {
	tag string
	// start returns a pointer to the Config with its defaults, nil for a tag without content, and what makes the value
	// out of it when it has been filled.
	start func() (config any, finish func() T)
	// later says that the feature comes with a later release (for the reference).
	later bool
}

// filled is a variant with content.
func filled[T, C any](tag string, defaults func() C, wrap func(C) T) variant[T] {
	return variant[T]{tag: tag, start: func() (any, func() T) {
		c := defaults()
		return &c, func() T { return wrap(c) }
	}}
}

// empty is a variant without content.
func empty[T any](tag string, v T) variant[T] {
	return variant[T]{tag: tag, start: func() (any, func() T) { return nil, func() T { return v } }}
}

// deferred marks a variant whose feature comes with a later release.
func deferred[T any](v variant[T]) variant[T] {
	v.later = true
	return v
}

func zero[C any]() (c C) { return c }

var handlerVariants = []variant[Handler]{
	filled("!Static", static.DefaultConfig, func(c static.Config) Handler { return StaticHandler{c} }),
	filled("!SingleFile", static.DefaultSingleFileConfig,
		func(c static.SingleFileConfig) Handler { return SingleFileHandler{c} }),
	deferred(filled("!VersionedStatic", static.DefaultVersionedConfig,
		func(c static.VersionedConfig) Handler { return VersionedStaticHandler{c} })),
	filled("!Proxy", proxy.DefaultHandlerConfig, func(c proxy.HandlerConfig) Handler { return ProxyHandler{c} }),
	filled("!SwindonLattice", gateway.DefaultHandlerConfig,
		func(c gateway.HandlerConfig) Handler { return LatticeHandler{c} }),
	filled("!EmptyGif", zero[builtin.EmptyGifConfig],
		func(c builtin.EmptyGifConfig) Handler { return EmptyGifHandler{c} }),
	filled("!SelfStatus", zero[builtin.SelfStatusConfig],
		func(c builtin.SelfStatusConfig) Handler { return SelfStatusHandler{c} }),
	filled("!BaseRedirect", zero[builtin.BaseRedirectConfig],
		func(c builtin.BaseRedirectConfig) Handler { return BaseRedirectHandler{c} }),
	empty[Handler]("!StripWWWRedirect", StripWWWRedirectHandler{}),
	empty[Handler]("!WebsocketEcho", WebsocketEchoHandler{}),
	deferred(empty[Handler]("!HttpBin", HTTPBinHandler{})),
}

var authorizerVariants = []variant[Authorizer]{
	empty[Authorizer]("!AllowAll", AllowAllAuthorizer{}),
	filled("!SourceIp", zero[access.SourceIPConfig],
		func(c access.SourceIPConfig) Authorizer { return SourceIPAuthorizer{c} }),
	deferred(filled("!Ldap", zero[access.LDAPConfig],
		func(c access.LDAPConfig) Authorizer { return LDAPAuthorizer{c} })),
}

// decodeVariant fills v with the value that the tag of n asks for.
func decodeVariant[T any](d *decoder, v reflect.Value, n any, path string, variants []variant[T]) {
	tag := tagOf(n)
	for _, x := range variants {
		if x.tag != tag {
			continue
		}
		config, finish := x.start()
		switch {
		case config != nil:
			d.structure(reflect.ValueOf(config).Elem(), n, path)
		case nullOf(n) == notNull:
			d.invalid(n, path, "Null expected, %s found", kindOf(n))
		}
		v.Set(reflect.ValueOf(finish()))
		return
	}
	var tags []string
	for _, x := range variants {
		tags = append(tags, x.tag)
	}
	if tag == "" {
		d.invalid(n, path, "One of the tags [%s] expected", strings.Join(tags, ", "))
		return
	}
	d.invalid(n, path, "The tag %s is not expected, allowed are [%s]", tag, strings.Join(tags, ", "))
}

// variantType is the type of the structure behind a tag; ok is false without one.
func variantType(t reflect.Type, tag string) (_ reflect.Type, ok bool) {
	switch t {
	case handlerType:
		return contentType(handlerVariants, tag)
	case authorizerType:
		return contentType(authorizerVariants, tag)
	}
	return nil, false
}

func contentType[T any](variants []variant[T], tag string) (reflect.Type, bool) {
	for _, x := range variants {
		if x.tag != tag {
			continue
		}
		if config, _ := x.start(); config != nil {
			return reflect.TypeOf(config).Elem(), true
		}
	}
	return nil, false
}
