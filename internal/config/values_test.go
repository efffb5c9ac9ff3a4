package config

import (
	"net/netip"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/swindon-go/swindon/gateway"
	"github.com/swindon-go/swindon/gateway/backend"
	"github.com/swindon-go/swindon/gateway/replica"
	"github.com/swindon-go/swindon/internal/access"
	"github.com/swindon-go/swindon/internal/builtin"
	"github.com/swindon-go/swindon/internal/edge"
	"github.com/swindon-go/swindon/internal/names"
	"github.com/swindon-go/swindon/lattice"
	"github.com/swindon-go/swindon/proxy"
	"github.com/swindon-go/swindon/routing"
	"github.com/swindon-go/swindon/static"
)

// compare reports the difference between two parts of a configuration; subnets and secrets compare as values.
func compare(t *testing.T, what string, want, got any) {
	t.Helper()
	if d := cmp.Diff(want, got, cmp.Comparer(func(a, b netip.Prefix) bool { return a == b })); d != "" {
		t.Errorf("%s (-want +got):\n%s", what, d)
	}
}

// Every key of every structure, with a value that is not its default.
func TestEveryKey(t *testing.T) {
	t.Parallel()
	l, _, err := load(t, map[string]string{"main.yaml": everyKey, "m/x.yaml": "disk-pools: {x-p: {num-threads: 2}}\n"})
	if err != nil {
		t.Fatal(err)
	}
	c := l.Config
	s := time.Second
	top := c.Edge
	top.RequestLog = nil
	compare(t, "edge", edge.Config{
		Listen: []string{"127.0.0.1:8080", "[::1]:80", "0.0.0.0:81"}, MaxConnections: 100_000, PipelineDepth: 3,
		ListenErrorTimeout: s, FirstByteTimeout: 2 * s, KeepAliveTimeout: 3 * s, HeadersTimeout: 4 * s,
		InputBodyByteTimeout: 5 * s, InputBodyWholeTimeout: 6 * s, OutputBodyByteTimeout: 7 * s,
		OutputBodyWholeTimeout: 8 * s, DebugRouting: true, DebugLogging: true,
	}, top)
	compare(t, "request log", edge.LogFormat{
		{Text: "a "}, {Variable: edge.LogHost}, {Text: "x"}, {Variable: edge.LogStatusCode},
	}, c.Edge.RequestLog)
	compare(t, "shutdown", time.Minute, c.ShutdownTimeout)
	compare(t, "log format", LogJSON, c.LogFormat)
	compare(t, "admin", []string{"127.0.0.1:9000"}, c.Admin.Listen)
	compare(t, "user", []string{"u", "g"}, []string{c.SetUser, c.SetGroup})
	compare(t, "routing", []routing.Rule{
		{Key: routing.Key{Any: true}, Target: routing.Target{Handler: "gif"}},
		{Key: routing.Key{Host: "e.org", Star: true}, Target: routing.Target{Handler: "st", Authorizer: "src"}},
		{Key: routing.Key{Host: "e.org", Path: "/a/b"}, Target: routing.Target{Handler: "lat", Authorizer: "src"}},
		{Key: routing.Key{Host: "localhost:"}, Target: routing.Target{Handler: "px"}},
	}, c.Routing)
	compare(t, "handlers", everyHandler, c.Handlers)
	compare(t, "authorizers", everyAuthorizer, c.Authorizers)
	compare(t, "pools", map[names.Pool]gateway.Config{"p": {
		Listen: []string{"127.0.0.1:80"}, PipelineDepth: 4, MaxConnections: 5, ListenErrorTimeout: s, MaxPayloadSize: 1 << 20,
		InactivityHandlers:       []names.Destination{{Name: "h", Path: "/in"}, {Name: "n", Path: "/"}},
		NewConnectionIdleTimeout: s, ClientMinIdleTimeout: 2 * s, ClientMaxIdleTimeout: 3 * s, ClientDefaultIdleTimeout: 4 * s,
		PingInterval: 5 * s, PingTimeout: 6 * s, WriteTimeout: 7 * s, MaxFrameSize: 1000, MaxCallsInFlight: 8,
		MaxSubscriptionsPerConnection: 9, MaxOutgoingBytes: 2048, MaxOutgoingFrames: 11, MaxPendingBytes: 12, MaxPending: 13,
		MaxConnectionsPerUser: 14, APITokens: []names.Secret{"s1", "s2"}, StrictAPI: true,
		Replica: replica.Config{LatticeDegraded: replica.DegradedAccept, PrivateGrace: 15 * s, SharedGrace: 16 * s},
		Limits:  lattice.Limits{MaxKeysPerNamespace: 17, MaxKeysPerUser: 18, MaxValueSize: 19, MaxSetSize: 20},
	}}, c.SessionPools)
	compare(t, "http destinations", map[string]proxy.DestinationConfig{"h": {
		Addresses: []string{"a.b:8080", "10.0.0.1:80", "_srv.x"}, LoadBalancing: proxy.LoadBalancingQueue,
		QueueSizeFor503: 0, BackendConnectionsPerIPPort: 2, InFlightRequestsPerBackendConnection: 3, KeepAliveTimeout: s,
		MaxRequestTimeout: 2 * s, SafePipelineTimeout: 3 * s, OverrideHostHeader: "host", RequestIDHeader: "X-Id",
		QueueTimeout: 4 * s, MaxTunnelsPerIPPort: 5,
	}}, c.HTTPDestinations)
	compare(t, "nats destinations", map[string]backend.NATSConfig{"n": {
		Subject: "a.b", MaxRequestTimeout: s, NoRespondersTimeout: 2 * s, MaxInFlight: 3,
	}}, c.NATSDestinations)
	compare(t, "ldap destinations", map[string]access.LDAPDestinationConfig{"l": {Addresses: []string{"ldap:389"}}},
		c.LDAPDestinations)
	compare(t, "networks", access.Networks{"net": {
		netip.MustParsePrefix("127.0.0.1/24"), netip.MustParsePrefix("10.1.2.3/8"), netip.MustParsePrefix("2001:db8::1/128"),
	}}, c.Networks)
	compare(t, "disk pools", map[string]static.DiskPoolConfig{"default": {NumThreads: 40}, "dp": {NumThreads: 7}, "x-p": {NumThreads: 2}},
		c.DiskPools)
	compare(t, "nats", []any{[]string{"127.0.0.1:4222"}, names.Secret("tok"), "/d", int64(1 << 20), int64(1 << 21), "px", 3},
		[]any{c.NATS.Listen, c.NATS.BackendToken, c.NATS.StoreDir, c.NATS.MaxMemory, c.NATS.MaxStore, c.NATS.Prefix, c.NATS.Replicas})
	compare(t, "mesh", []any{[]string{"10.0.0.1:6222"}, []string{"node-2:6222", "node-3:80"}, 11, s, 2 * s, names.Secret("mt")},
		[]any{
			c.Replication.Listen, c.Replication.Peers, c.Replication.MaxConnections, c.Replication.ListenErrorTimeout,
			c.Replication.ReconnectTimeout, c.Replication.Token,
		})
}

var everyHandler = map[string]Handler{
	"default": DefaultHandler{},
	"st": StaticHandler{static.Config{
		Path: "/srv", Mode: static.ModeHostname, Pool: "dp", ExtraHeaders: map[string]string{"X-N": "100500", "X-B": "yes"},
		StripHostSuffix: "e.org", IndexFiles: []string{"a", "b"}, GenerateIndex: true, GeneratedIndexMaxFiles: 3,
	}},
	"sf": SingleFileHandler{static.SingleFileConfig{
		Path: "/f", ContentType: "a/b", Pool: "dp", ExtraHeaders: map[string]string{"A": "b"},
	}},
	"vs": VersionedStaticHandler{static.VersionedConfig{
		VersionedRoot: "/v", PlainRoot: "/p", VersionArg: "r", VersionSplit: []uint32{2, 6},
		VersionChars: static.VersionCharsLowercaseHex, FallbackToPlain: static.FallbackNoFile,
		FallbackMode: static.ModeDomainRoot, TextCharset: "x", Pool: "dp", ExtraHeaders: map[string]string{"A": "b"},
		StripHostSuffix: "y",
	}},
	"px": ProxyHandler{proxy.HandlerConfig{
		Destination: names.Destination{Name: "h", Path: "/p/q"}, Mode: proxy.ModeForward, IPHeader: "X-Ip",
		RequestIDHeader: "X-Old", MaxPayloadSize: 1, StreamRequests: true, ResponseBufferSize: 2,
		ExtraHeaders: map[string]string{"A": "b"},
	}},
	"gif": EmptyGifHandler{builtin.EmptyGifConfig{ExtraHeaders: map[string]string{"A": "b"}}},
	"ss":  SelfStatusHandler{builtin.SelfStatusConfig{ExtraHeaders: map[string]string{"A": "b"}}},
	"br":  BaseRedirectHandler{builtin.BaseRedirectConfig{RedirectToDomain: "x.org:81"}},
	"www": StripWWWRedirectHandler{},
	"bin": HTTPBinHandler{},
	"we":  WebsocketEchoHandler{},
	"lat": LatticeHandler{gateway.HandlerConfig{
		SessionPool: "p", HTTPRoute: "gif", Compatibility: gateway.Old6, AllowedOrigins: []string{"http://o"},
		ForwardHeaders: []string{"X-A"}, ForwardRemoteAddr: true,
		MessageHandlers: []gateway.MessageHandler{
			{Pattern: "*", Destination: names.Destination{Name: "h", Path: "/"}},
			{Pattern: "a.*", Destination: names.Destination{Name: "n", Path: "/"}},
			{Pattern: "tangle.*", Destination: names.Destination{Name: "h", Path: "/in"}},
		},
	}},
}

var everyAuthorizer = map[string]Authorizer{
	"default": AllowAllAuthorizer{},
	"all":     AllowAllAuthorizer{},
	"src":     SourceIPAuthorizer{access.SourceIPConfig{AllowedNetwork: "net", ForwardedIPHeader: "X-F", AcceptForwardedHeadersFrom: "net"}},
	"ld": LDAPAuthorizer{access.LDAPConfig{
		Destination: "l", SearchBase: "a", LoginAttribute: "b", PasswordAttribute: "c", LoginHeader: "d",
		AdditionalQueries: map[string]access.LDAPQueryConfig{"X-G": {
			SearchBase: "e", FetchAttribute: "f", Filter: "g", DNAttributeStripBase: "h",
		}},
	}},
}

const everyKey = `
_VARS: [&timeout 1s, &headers {A: b}]
listen: ["127.0.0.1:8080", "::1", !Tcp "0.0.0.0:81"]
max-connections: 100 k
pipeline-depth: 0b11
listen-error-timeout: *timeout
first-byte-timeout: 1s 1000 ms
keep-alive-timeout: 3 s
headers-timeout: 4secs
input-body-byte-timeout: 5s
input-body-whole-timeout: 6s
output-body-byte-timeout: 7s
output-body-whole-timeout: 8s
debug-routing: true
debug-logging: true
server-name: null
shutdown-timeout: 60s
log-format: json
admin: {listen: ["127.0.0.1:9000"]}
set-user: u
set-group: g
mixins: {x-: m/x.yaml}
routing:
  "*": gif
  "*.e.org": " @src  st"
  e.org/a/b: lat@src
  "localhost:": px
handlers:
  st: !Static
    path: /srv
    mode: with-hostname
    text-charset: null
    pool: dp
    extra-headers: {X-N: 100500, X-B: yes}
    strip-host-suffix: e.org
    index-files: [a, b]
    generate-index: true
    generated-index-max-files: 3
  sf: !SingleFile {path: /f, content-type: a/b, pool: dp, extra-headers: *headers}
  vs: !VersionedStatic
    versioned_root: /v
    plain_root: /p
    version_arg: r
    version_split: [2, 6]
    version_chars: !lowercase_hex
    fallback_to_plain: no-file
    fallback_mode: relative_to_domain_root
    text_charset: x
    pool: dp
    extra_headers: *headers
    strip_host_suffix: y
  px: !Proxy
    destination: h/p/q
    mode: forward
    ip-header: X-Ip
    request-id-header: X-Old
    max-payload-size: 1
    stream-requests: true
    response-buffer-size: 2
    extra-headers: *headers
  gif: !EmptyGif {extra-headers: *headers}
  ss: !SelfStatus {extra-headers: *headers}
  br: !BaseRedirect {redirect-to-domain: "x.org:81"}
  www: !StripWWWRedirect null
  bin: !HttpBin
  we: !WebsocketEcho ~
  lat: !SwindonLattice
    session-pool: p
    http-route: gif
    compatibility: v0.6.2
    allowed-origins: [http://o]
    forward-headers: [X-A]
    forward-remote-addr: true
    message-handlers: {"*": h, a.*: n, tangle.*: h/in}
authorizers:
  all: !AllowAll
  src: !SourceIp {allowed-network: net, forwarded-ip-header: X-F, accept-forwarded-headers-from: net}
  ld: !Ldap
    destination: l
    search-base: a
    login-attribute: b
    password-attribute: c
    login-header: d
    additional-queries:
      X-G: {search-base: e, fetch-attribute: f, filter: g, dn-attribute-strip-base: h}
session-pools:
  p:
    listen: [127.0.0.1]
    pipeline-depth: 4
    max-connections: 5
    listen-error-timeout: 1s
    max-payload-size: 1Mi
    inactivity-handlers: [h/in, n]
    new-connection-idle-timeout: 1s
    client-min-idle-timeout: 2s
    client-max-idle-timeout: 3s
    client-default-idle-timeout: 4s
    ping-interval: 5s
    ping-timeout: 6s
    write-timeout: 7s
    max-frame-size: 1k
    max-calls-in-flight: 8
    max-subscriptions-per-connection: 9
    max-outgoing-bytes: 2ki
    max-outgoing-frames: 11
    max-pending-bytes: 12
    max-pending: 13
    max-connections-per-user: 14
    api-tokens: [s1, s2]
    strict-api: true
    lattice-degraded: accept
    private-grace: 15s
    shared-grace: 16s
    max-keys-per-namespace: 17
    max-keys-per-user: 18
    max-value-size: 19
    max-set-size: 20
http-destinations:
  h:
    addresses: ["a.b:8080", 10.0.0.1, _srv.x, UPPER]
    load-balancing: !queue
    queue-size-for-503: 0
    backend-connections-per-ip-port: 2
    in-flight-requests-per-backend-connection: 3
    keep-alive-timeout: 1s
    max-request-timeout: 2s
    safe-pipeline-timeout: 3s
    override-host-header: host
    request-id-header: X-Id
    queue-timeout: 4s
    max-tunnels-per-ip-port: 5
nats-destinations:
  n: {subject: a.b, max-request-timeout: 1s, no-responders-timeout: 2s, max-in-flight: 3}
ldap-destinations: {l: {addresses: ["ldap:389"]}}
networks: {net: [127.0.0.1, 10.1.2.3/8, "2001:db8::1"]}
log-formats: {debug-log: {template: "  a   {{ request.host }}{{ 'x' }}{{response.status_code}} "}}
disk-pools: {dp: {num-threads: 7}}
nats: {listen: ["127.0.0.1"], backend-token: tok, store-dir: /d, max-memory: 1Mi, max-store: 2Mi, prefix: px, replicas: 3}
replication:
  listen: ["10.0.0.1:6222"]
  peers: ["node-2:6222", node-3]
  max-connections: 11
  listen-error-timeout: 1s
  reconnect-timeout: 2s
  token: mt
`
