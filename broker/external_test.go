package broker

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"log/slog"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/swindon-go/swindon/internal/names"
	"github.com/swindon-go/swindon/internal/port"
)

// authority signs certificates for one test.
type authority struct {
	t    *testing.T
	dir  string
	key  *ecdsa.PrivateKey
	cert *x509.Certificate
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	a := &authority{t: t, dir: t.TempDir()}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	a.key = key
	a.cert = &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test ca"}, NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	a.write("ca", a.cert, key)
	return a
}

// write signs a certificate and writes NAME.pem and NAME.key.
func (a *authority) write(name string, cert *x509.Certificate, key *ecdsa.PrivateKey) {
	a.t.Helper()
	der, err := x509.CreateCertificate(rand.Reader, cert, a.cert, &key.PublicKey, a.key)
	if err != nil {
		a.t.Fatal(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		a.t.Fatal(err)
	}
	for file, block := range map[string]*pem.Block{
		name + ".pem": {Type: "CERTIFICATE", Bytes: der}, name + ".key": {Type: "PRIVATE KEY", Bytes: keyDER},
	} {
		if err := os.WriteFile(filepath.Join(a.dir, file), pem.EncodeToMemory(block), 0o600); err != nil {
			a.t.Fatal(err)
		}
	}
}

// issue makes a certificate for a server or a client on loopback.
func (a *authority) issue(name string) {
	a.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		a.t.Fatal(err)
	}
	a.write(name, &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: name}, NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}, key)
}

func (a *authority) file(name string) string { return filepath.Join(a.dir, name) }

// TestTLS: an external server that wants certificates from both sides, and a password.
func TestTLS(t *testing.T) {
	t.Parallel()
	ca := newAuthority(t)
	ca.issue("server")
	ca.issue("client")
	conf, err := tlsConfig(TLSConfig{CA: ca.file("ca.pem"), Cert: ca.file("server.pem"), Key: ca.file("server.key")})
	if err != nil {
		t.Fatal(err)
	}
	conf.ClientCAs, conf.ClientAuth = conf.RootCAs, tls.RequireAndVerifyClientCert
	srv, err := server.NewServer(&server.Options{
		Host: "127.0.0.1", Port: server.RANDOM_PORT, NoSigs: true, NoLog: true, TLS: true, TLSConfig: conf, TLSTimeout: 5,
		Username: "node", Password: "secret",
	})
	if err != nil {
		t.Fatal(err)
	}
	srv.Start()
	t.Cleanup(func() {
		srv.Shutdown()
		srv.WaitForShutdown()
	})
	good := DefaultConfig()
	good.URL = []string{"tls://" + srv.Addr().String()}
	good.User, good.Password = "node", "secret"
	good.TLS = TLSConfig{CA: ca.file("ca.pem"), Cert: ca.file("client.pem"), Key: ca.file("client.key")}
	if b := open(t, good, testDeps(t)); !b.Up() {
		t.Error("not up")
	} else if err := b.Flush(ctx(t)); err != nil {
		t.Error(err)
	}
	for name, change := range map[string]func(*Config){
		"no certificate": func(c *Config) { c.TLS.Cert, c.TLS.Key = "", "" },
		"other ca":       func(c *Config) { c.TLS.CA = "" },
		"wrong password": func(c *Config) { c.Password = "wrong" },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg := good
			change(&cfg)
			if b := open(t, cfg, testDeps(t)); b.Up() {
				t.Error("let in")
			}
		})
	}
}

// TestFilesChecked: what waiting does not heal is an error at the start.
func TestFilesChecked(t *testing.T) {
	t.Parallel()
	ca := newAuthority(t)
	for want, cfg := range map[string]Config{
		"tls ca: open":      {TLS: TLSConfig{CA: ca.file("absent")}},
		"no certificate in": {TLS: TLSConfig{CA: ca.file("ca.key")}},
		"without the other": {TLS: TLSConfig{Cert: ca.file("ca.pem")}},
		"tls cert:":         {TLS: TLSConfig{Cert: ca.file("ca.key"), Key: ca.file("ca.pem")}},
		"credentials: stat": {Credentials: ca.file("absent")},
	} {
		cfg.URL, cfg.Prefix = []string{"nats://127.0.0.1:1"}, "sw"
		if _, err := Open(t.Context(), cfg, testDeps(t)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %s", err, want)
		}
	}
	for want, cfg := range map[string]Config{
		"prefix": {Prefix: "s.w"}, "listen": {Prefix: "sw", Listen: []string{"nowhere"}},
	} {
		if _, err := Open(t.Context(), cfg, testDeps(t)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %s", err, want)
		}
	}
}

// TestBucketChecked: an external bucket is made only when we may, and one that is not as it must be is not used.
func TestBucketChecked(t *testing.T) {
	t.Parallel()
	srv := external(t, server.RANDOM_PORT)
	var log logBuffer
	deps := testDeps(t)
	deps.Log = slog.New(slog.NewTextHandler(&log, nil))
	cfg := DefaultConfig()
	cfg.URL, cfg.CreateBuckets = []string{srv.ClientURL()}, false
	b := open(t, cfg, deps)
	js := must[jetstream.JetStream](t)(jetstream.New(b.calls.conn.Load()))
	wrong := jetstream.KeyValueConfig{Bucket: "sw_main_lat", History: 5, Storage: jetstream.MemoryStorage}
	must[jetstream.KeyValue](t)(js.CreateKeyValue(ctx(t), wrong))
	// The keeper may have looked before the bucket was there: it is asked again.
	said := func(what string) {
		t.Helper()
		for c := ctx(t); !strings.Contains(log.String(), what); b.stores.wake() {
			if err := b.Flush(c); err != nil {
				t.Fatalf("the log does not say %q:\n%s", what, log.String())
			}
		}
	}
	said("bucket=sw_nodes err=\"it does not exist, and nats.create-buckets is false\"")
	said("another configuration: max-msgs-per-subject, storage, allow-msg-ttl, subject-delete-marker-ttl")
	s := b.Store("main")
	if _, err := s.Get(ctx(t), "k"); s.Ready() || !errors.Is(err, port.ErrUnavailable) {
		t.Errorf("a wrong bucket is used: %v", err)
	}

	// Mended, it is found; and where we may, the other one is made.
	if err := js.DeleteKeyValue(ctx(t), "sw_main_lat"); err != nil {
		t.Fatal(err)
	}
	cfg.CreateBuckets = true
	other := testDeps(t)
	other.Node = otherNode
	maker := open(t, cfg, other)
	for c := ctx(t); !b.Store("main").Ready() || !b.NodesStore().Ready() || !maker.Store("main").Ready(); b.stores.wake() {
		if err := b.Flush(c); err != nil {
			t.Fatal("buckets are not found: ", err)
		}
	}
	rev := must[uint64](t)(maker.Store("main").CompareAndSwap(ctx(t), "k", 0, []byte("v"), 0))
	if e := must[port.Entry](t)(s.Get(ctx(t), "k")); string(e.Value) != "v" || e.Revision != rev {
		t.Errorf("got %+v", e)
	}
	if got := must[jetstream.Stream](t)(js.Stream(ctx(t), names.Bucket("sw_main_lat").Stream())).CachedInfo().Config.Replicas; got != 1 {
		t.Errorf("%d replicas on a single server", got)
	}
}

// TestFlushAcrossReconnect: the library keeps a ping while it is away and sends it on the next connection; its answer
// proves nothing about what was sent before.
func TestFlushAcrossReconnect(t *testing.T) {
	t.Parallel()
	srv := external(t, server.RANDOM_PORT)
	_, tcpPort, err := splitAddress(srv.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	cfg := DefaultConfig()
	cfg.URL = []string{srv.ClientURL()}
	b := open(t, cfg, testDeps(t))
	srv.Shutdown()
	srv.WaitForShutdown()
	await(t, b.bus, false)
	b.bus.up.Store(true) // as in the moment before the loss is noticed
	done := make(chan error, 1)
	go func() { done <- b.Flush(ctx(t)) }()
	external(t, tcpPort)
	if err := <-done; !errors.Is(err, port.ErrUnavailable) {
		t.Errorf("Flush: %v", err)
	}
}
