package main

import (
	"context"
	"errors"
	"flag"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/swindon-go/swindon/examples/chat/internal/chat"
	"github.com/swindon-go/swindon/examples/chat/internal/pizza"
	"github.com/swindon-go/swindon/examples/chat/internal/session"
)

// serveChat runs one chat backend until the context ends, then lets running calls finish.
func serveChat(ctx context.Context, args []string, log *slog.Logger) error {
	fs := flag.NewFlagSet("chat serve", flag.ContinueOnError)
	listen := fs.String("listen", "127.0.0.1:8082", "address to serve on")
	api := fs.String("api", "http://127.0.0.1:8081", "the session pool's backend API")
	secret := fs.String("secret", "example only", "signs the session cookies; the same for all chat backends")
	if err := fs.Parse(args); err != nil {
		return err
	}
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", *listen)
	if err != nil {
		return err
	}
	srv := &http.Server{Handler: chat.NewHandler(*api, session.NewKeeper(*secret), log), ReadHeaderTimeout: 10 * time.Second}
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
	url := fs.String("nats", "nats://127.0.0.1:8084", "the NATS server")
	step := fs.Duration("step", 2*time.Second, "how long each state of an order lasts")
	if err := fs.Parse(args); err != nil {
		return err
	}
	// While NATS is away publishes fail at once rather than being sent late: the caller hears the truth.
	nc, err := nats.Connect(*url, nats.Name("pizza"), nats.MaxReconnects(-1), nats.ReconnectWait(100*time.Millisecond),
		nats.ReconnectBufSize(-1), nats.RetryOnFailedConnect(true))
	if err != nil {
		return err
	}
	defer nc.Close()
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
