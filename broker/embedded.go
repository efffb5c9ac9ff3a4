package broker

import (
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"net"
	"net/url"
	"strconv"
	"time"

	natsserver "github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"

	"github.com/swindon-go/swindon/internal/names"
)

// The embedded server's users (decision D46).
const (
	gatewayUser = "gateway"
	backendUser = "backend"
)

// Bounds of the embedded server.
const (
	serverWriteDeadline = 5 * time.Second
	serverMaxPending    = 64 << 20 // bytes that wait for one client before it is cut
	serverMaxStore      = 1 << 52  // bytes that buckets may reserve together; their own bounds are what counts
	serverReady         = 10 * time.Second
)

// backendInbox is where backends await answers; it is the libraries' default.
const backendInbox = "_INBOX.>"

// embedded is the NATS server inside this process.
type embedded struct {
	srv      *natsserver.Server
	opts     *natsserver.Options // as it was started with, or last updated
	password string              // of user gateway, known to nobody else
	store    *storeDir
	log      *slog.Logger
}

// startEmbedded starts the server; it takes connections when this returns.
func startEmbedded(cfg Config, deps Deps) (*embedded, error) {
	prefix, err := names.ParsePrefix(cfg.Prefix)
	if err != nil {
		return nil, err
	}
	e := &embedded{password: rand.Text(), log: deps.Log}
	opts, err := e.serverOptions(cfg, deps, prefix)
	if err != nil {
		return nil, err
	}
	if e.store, err = openStoreDir(cfg.StoreDir, deps.Log); err != nil {
		return nil, err
	}
	opts.StoreDir = e.store.path
	if err := e.run(opts); err != nil {
		e.store.close()
		return nil, err
	}
	if addr := e.srv.Addr(); addr != nil && len(cfg.Listen) > 0 {
		deps.Log.Info("nats takes connections of backends", "address", addr.String())
		if opts.NoAuthUser != "" && !loopback(cfg.Listen[0]) {
			deps.Log.Warn("nats.listen is reachable without a password; set nats.backend-token", "address", cfg.Listen[0])
		}
	}
	return e, nil
}

// run starts the server and waits until it is ready or says why not.
func (e *embedded) run(opts *natsserver.Options) error {
	e.opts = opts.Clone()
	srv, err := natsserver.NewServer(opts)
	if err != nil {
		return err
	}
	fatal := make(chan error, 1)
	srv.SetLoggerV2(&serverLog{log: e.log, fatal: fatal}, false, false, false)
	srv.Start()
	select {
	case err = <-fatal:
	default:
		if !srv.ReadyForConnections(serverReady) {
			err = errors.New("server does not become ready")
		}
	}
	if err != nil {
		srv.Shutdown()
		srv.WaitForShutdown()
		return err
	}
	e.srv = srv
	return nil
}

// options connects a client to the server without a socket.
func (e *embedded) options() []nats.Option {
	return []nats.Option{nats.InProcessServer(e.srv), nats.UserInfo(gatewayUser, e.password)}
}

// stop ends the server and its store.
func (e *embedded) stop() {
	e.srv.Shutdown()
	e.srv.WaitForShutdown()
	e.store.close()
}

func (e *embedded) serverOptions(cfg Config, deps Deps, prefix names.Prefix) (*natsserver.Options, error) {
	payload := payloadFor(deps.Pools)
	opts := &natsserver.Options{
		ServerName: string(deps.Node), NoSigs: true, DontListen: true, NoSystemAccount: false,
		Host: "127.0.0.1", Port: natsserver.RANDOM_PORT,
		MaxPayload: int32(payload), MaxPending: max(serverMaxPending, 2*payload), WriteDeadline: serverWriteDeadline,
		JetStream: true, DisableJetStreamBanner: true, JetStreamMaxMemory: cfg.MaxMemory,
		JetStreamMaxStore: serverMaxStore,
	}
	backendPassword := cfg.BackendToken.Reveal()
	if backendPassword == "" {
		backendPassword = rand.Text()
		if len(cfg.Listen) > 0 {
			opts.NoAuthUser = backendUser
		}
	}
	opts.Users = []*natsserver.User{
		{Username: gatewayUser, Password: e.password, Permissions: gatewayPermissions(prefix)},
		{Username: backendUser, Password: backendPassword, Permissions: backendPermissions(prefix, deps.Subjects)},
	}
	if len(cfg.Listen) > 0 {
		host, port, err := splitAddress(cfg.Listen[0])
		if err != nil {
			return nil, fmt.Errorf("listen: %w", err)
		}
		opts.DontListen, opts.Host, opts.Port = false, host, port
	}
	if deps.Mesh.Enabled() {
		if err := meshOptions(opts, deps.Mesh, deps.Log); err != nil {
			return nil, fmt.Errorf("replication: %w", err)
		}
	}
	return opts, nil
}

// payloadFor is the largest message of any session pool plus some room (decision D18), 1 MiB at least.
func payloadFor(pools []PoolLimit) int64 {
	largest := int64(natsserver.MAX_PAYLOAD_SIZE)
	for _, p := range pools {
		largest = max(largest, p.MaxMessage)
	}
	return min(largest+payloadRoom, math.MaxInt32/4)
}

// gatewayPermissions are what the nodes need (design/nats.md §6.2). The stream's names are wildcards, since session
// pools come with a reload too.
func gatewayPermissions(p names.Prefix) *natsserver.Permissions {
	return &natsserver.Permissions{
		Publish: &natsserver.SubjectPermission{Allow: []string{
			p.All(), backendInbox, inboxRoot + ".>", "$KV.>", "$SRV.>",
			"$JS.API.INFO", "$JS.API.DIRECT.GET.>", "$JS.API.STREAM.INFO.*", "$JS.API.STREAM.MSG.GET.*",
			"$JS.API.STREAM.CREATE.*", "$JS.API.STREAM.UPDATE.*",
		}},
		Subscribe: &natsserver.SubjectPermission{Allow: []string{p.All(), inboxRoot + ".>"}},
		Response:  &natsserver.ResponsePermission{MaxMsgs: 1, Expires: natsserver.DEFAULT_ALLOW_RESPONSE_EXPIRATION},
	}
}

// backendPermissions are what backends may do. The queue group is part of the permission: without it nobody can tap
// calls.
func backendPermissions(p names.Prefix, bases []string) *natsserver.Permissions {
	serve := p.BackendServes(bases)
	for i := range serve {
		serve[i] += " " + names.Queue
	}
	return &natsserver.Permissions{
		Publish: &natsserver.SubjectPermission{Allow: append(p.BackendPublishes(), "$SRV.>")},
		Subscribe: &natsserver.SubjectPermission{
			Allow: append(append(p.BackendHears(), serve...), "$SRV.>", backendInbox),
		},
		Response: &natsserver.ResponsePermission{MaxMsgs: 1, Expires: natsserver.DEFAULT_ALLOW_RESPONSE_EXPIRATION},
	}
}

// meshOptions lets the server form one cluster with those of the other nodes (decision D45).
func meshOptions(opts *natsserver.Options, mesh MeshConfig, log *slog.Logger) error {
	listen := "127.0.0.1:0"
	if len(mesh.Listen) > 0 {
		listen = mesh.Listen[0]
	}
	host, port, err := splitAddress(listen)
	if err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	token := mesh.Token.Reveal()
	local := loopback(listen)
	for _, peer := range mesh.Peers {
		if _, _, err := splitAddress(peer); err != nil {
			return fmt.Errorf("peers: %w", err)
		}
		local = local && loopback(peer)
		u := &url.URL{Scheme: "nats", Host: peer}
		if token != "" {
			u.User = url.UserPassword(meshUser, token)
		}
		opts.Routes = append(opts.Routes, u)
	}
	if token == "" && !local {
		log.Warn("replication has no token: whoever reaches its address is one of us")
	}
	opts.Cluster = natsserver.ClusterOpts{Name: "swindon", Host: host, Port: port, NoAdvertise: true}
	if token != "" {
		opts.Cluster.Username, opts.Cluster.Password = meshUser, token
	}
	// With DontListen the server would never open its routes either (nats-server #5174). A mesh has no store: the
	// servers' set changes, and JetStream would lose its quorum.
	opts.DontListen, opts.JetStream = false, false
	return nil
}

// meshUser is the name under which nodes connect to each other; nats-server takes no tokens there.
const meshUser = "swindon"

// splitAddress reads host:port. Port 0 means any, which the server's options call -1.
func splitAddress(addr string) (string, int, error) {
	host, p, err := net.SplitHostPort(addr)
	if err != nil {
		return "", 0, err
	}
	port, err := strconv.ParseUint(p, 10, 16)
	if err != nil {
		return "", 0, fmt.Errorf("address %s: port %w", addr, err)
	}
	if port == 0 {
		return host, natsserver.RANDOM_PORT, nil
	}
	return host, int(port), nil
}

func loopback(addr string) bool {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return false
	}
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}
