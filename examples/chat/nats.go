package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats-server/v2/server"
)

// serveNATS runs one server of a NATS cluster, so that the example needs nothing installed. In production NATS runs as its
// own program: see docker-compose.yml, which uses the same configuration. The environment's SERVER_NAME names the server.
func serveNATS(ctx context.Context, args []string, log *slog.Logger) error {
	fs := flag.NewFlagSet("chat nats", flag.ContinueOnError)
	config := fs.String("config", "cluster/nats.conf", "the server's configuration")
	listen := fs.String("listen", "127.0.0.1:4222", "address for clients")
	cluster := fs.String("cluster", "127.0.0.1:6222", "address for the other servers")
	routes := fs.String("routes", "", "the servers' addresses for each other, with commas between")
	health := fs.String("health", "127.0.0.1:8222", "address for /healthz")
	store := fs.String("store", "", "the folder in which streams are kept")
	if err := parse(fs, args); err != nil {
		return err
	}
	var o server.Options
	if err := o.ProcessConfigFile(*config); err != nil {
		return err
	}
	o.StoreDir, o.NoSigs, o.DisableJetStreamBanner = *store, true, true
	o.Routes = server.RoutesFromStr(*routes)
	var err1, err2, err3 error
	o.Host, o.Port, err1 = hostPort(*listen)
	o.Cluster.Host, o.Cluster.Port, err2 = hostPort(*cluster)
	o.HTTPHost, o.HTTPPort, err3 = hostPort(*health)
	if err := errors.Join(err1, err2, err3); err != nil {
		return err
	}
	s, err := server.NewServer(&o)
	if err != nil {
		return err
	}
	s.SetLoggerV2(natsLog{log}, false, false, false)
	s.Start()
	if !s.ReadyForConnections(30 * time.Second) {
		return errors.New("the NATS server does not start")
	}
	<-ctx.Done()
	s.Shutdown()
	s.WaitForShutdown()
	return nil
}

func hostPort(addr string) (string, int, error) {
	host, text, err := net.SplitHostPort(addr)
	if err != nil {
		return "", 0, err
	}
	port, err := strconv.Atoi(text)
	return host, port, err
}

// natsLog passes the server's warnings and errors on.
type natsLog struct{ log *slog.Logger }

func (l natsLog) Noticef(string, ...any) {}
func (l natsLog) Debugf(string, ...any)  {}
func (l natsLog) Tracef(string, ...any)  {}

func (l natsLog) Warnf(format string, args ...any) { l.log.Warn("NATS", "is", message(format, args)) }

func (l natsLog) Errorf(format string, args ...any) {
	l.log.Error("NATS", "err", message(format, args))
}

func (l natsLog) Fatalf(format string, args ...any) {
	l.log.Error("NATS", "err", message(format, args))
}

func message(format string, args []any) string {
	return strings.TrimSpace(fmt.Sprintf(format, args...))
}
