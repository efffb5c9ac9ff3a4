package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/swindon-go/swindon/examples/chat/internal/chat"
	"github.com/swindon-go/swindon/examples/chat/internal/pizza"
)

// parse reads flags, and wants nothing but flags.
func parse(fs *flag.FlagSet, args []string) error {
	if err := fs.Parse(args); err != nil {
		return err
	}
	if fs.NArg() > 0 {
		return fmt.Errorf("%s: unexpected %q", fs.Name(), fs.Arg(0))
	}
	return nil
}

// serveChat runs one chat backend until the context ends, then lets running calls finish.
func serveChat(ctx context.Context, args []string, log *slog.Logger) error {
	fs := flag.NewFlagSet("chat serve", flag.ContinueOnError)
	listen := fs.String("listen", "127.0.0.1:8082", "address to serve on")
	var cfg chat.Config
	fs.StringVar(&cfg.API, "api", "http://127.0.0.1:8081", "the session pool's backend API")
	fs.StringVar(&cfg.Host, "api-host", "", "the Host header of requests to it, where that differs")
	fs.StringVar(&cfg.Secret, "secret", "example only", "signs the session cookies; the same for all chat backends")
	check := fs.Bool("check-config", false, "check the flags, and end")
	if err := parse(fs, args); err != nil || *check {
		return err
	}
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", *listen)
	if err != nil {
		return err
	}
	srv := &http.Server{Handler: chat.NewHandler(cfg, log), ReadHeaderTimeout: 10 * time.Second}
	done := make(chan error, 1)
	go func() { done <- srv.Serve(l) }()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
	}
	stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	return errors.Join(srv.Shutdown(stop))
}

// servePizza runs one pizza backend until the context ends, then lets its orders finish.
func servePizza(ctx context.Context, args []string, log *slog.Logger) error {
	fs := flag.NewFlagSet("chat pizza", flag.ContinueOnError)
	url := fs.String("nats", "nats://127.0.0.1:8084", "the NATS servers, with commas between")
	user := fs.String("user", "", "whom to log in as; empty: no login")
	password := fs.String("password", "", "the password of user")
	health := fs.String("health", "", "address on which /health tells whether NATS is there; empty: none")
	step := fs.Duration("step", 2*time.Second, "how long each state of an order lasts")
	check := fs.Bool("check-config", false, "check the flags, and end")
	if err := parse(fs, args); err != nil || *check {
		return err
	}
	// While NATS is away publishes fail at once rather than being sent late: the caller hears the truth.
	nc, err := nats.Connect(*url, nats.Name("pizza"), nats.MaxReconnects(-1), nats.ReconnectWait(100*time.Millisecond),
		nats.ReconnectBufSize(-1), nats.RetryOnFailedConnect(true), nats.UserInfo(*user, *password))
	if err != nil {
		return err
	}
	defer nc.Close()
	if *health != "" {
		stop, err := serveHealth(ctx, *health, nc)
		if err != nil {
			return err
		}
		defer stop()
	}
	s, err := startPizza(ctx, nc, *step, log)
	if err != nil {
		return err
	}
	<-ctx.Done()
	return s.Stop()
}

// startPizza registers the service, waiting for NATS as long as the context allows.
func startPizza(ctx context.Context, nc *nats.Conn, step time.Duration, log *slog.Logger) (*pizza.Service, error) {
	changed := nc.StatusChanged(nats.CONNECTED)
	for !nc.IsConnected() {
		select {
		case <-changed:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	return pizza.Start(nc, step, log)
}

// serveHealth answers /health with 200 while NATS is there.
func serveHealth(ctx context.Context, addr string, nc *nats.Conn) (stop func(), err error) {
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", addr)
	if err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /health", func(w http.ResponseWriter, _ *http.Request) {
		if !nc.IsConnected() {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	})
	srv := &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second}
	go func() { _ = srv.Serve(l) }()
	return func() { _ = srv.Close() }, nil
}
