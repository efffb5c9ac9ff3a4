// Package demo starts the whole example as processes: the gateway with its embedded NATS, two chat backends and two
// pizza backends. When the context ends, or one of them does, all are stopped.
package demo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"
)

// Options say what to start.
type Options struct {
	// Swindon is the gateway's program, Dir the folder of the example.
	Swindon, Dir string
	// Port is that of the page; the following five are for the backend API, two chat backends, NATS and admin. With
	// 0 six free ports are taken.
	Port           int
	Stdout, Stderr io.Writer
}

const (
	portPage = iota
	portAPI
	portChat1
	portChat2
	portNATS
	portAdmin
	portCount
)

// startTimeout bounds the wait until the page answers.
const startTimeout = 30 * time.Second

// Run starts everything, prints the address when the page answers, and returns when all processes have ended.
func Run(ctx context.Context, o Options) error {
	addrs, err := addresses(ctx, o.Port)
	if err != nil {
		return err
	}
	swindon, err := filepath.Abs(o.Swindon)
	if err != nil {
		return err
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	g := newGroup(ctx, o.Stderr)
	api := "http://" + addrs[portAPI]
	g.start("swindon", o.Dir, environment(addrs), swindon, "--config", "swindon.yaml")
	g.start("chat-1", o.Dir, nil, self, "serve", "-listen", addrs[portChat1], "-api", api)
	g.start("chat-2", o.Dir, nil, self, "serve", "-listen", addrs[portChat2], "-api", api)
	g.start("pizza-1", o.Dir, nil, self, "pizza", "-nats", "nats://"+addrs[portNATS])
	g.start("pizza-2", o.Dir, nil, self, "pizza", "-nats", "nats://"+addrs[portNATS])
	if err := ready(g.ctx, "http://"+addrs[portPage]+"/api/rooms"); err == nil {
		fmt.Fprintf(o.Stdout, "\n  The chat is at http://%s/   (Ctrl-C ends it)\n\n", addrs[portPage])
	} else if g.ctx.Err() == nil {
		g.stop(fmt.Errorf("the page did not answer: %w", err))
	}
	if err := g.wait(); ctx.Err() == nil {
		return err
	}
	return nil // Ctrl-C is how it is meant to end
}

// environment overrides the addresses of swindon.yaml, so that the example's ports can be chosen.
func environment(addrs []string) []string {
	return []string{
		"SWINDON__LISTEN=[" + addrs[portPage] + "]",
		"SWINDON__ADMIN__LISTEN=[" + addrs[portAdmin] + "]",
		"SWINDON__SESSION_POOLS__MAIN__LISTEN=[" + addrs[portAPI] + "]",
		"SWINDON__HTTP_DESTINATIONS__CHAT__ADDRESSES=[" + addrs[portChat1] + "," + addrs[portChat2] + "]",
		"SWINDON__NATS__LISTEN=[" + addrs[portNATS] + "]",
	}
}

// addresses returns six loopback addresses that are free at the moment, or says which one is not.
func addresses(ctx context.Context, port int) ([]string, error) {
	var addrs []string
	for i := range portCount {
		want := "127.0.0.1:0"
		if port != 0 {
			want = fmt.Sprintf("127.0.0.1:%d", port+i)
		}
		l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", want)
		if err != nil {
			return nil, fmt.Errorf("%w (choose other ports: make demo PORT=9000)", err)
		}
		// Kept open until all six are known, so that no two are the same.
		defer l.Close()
		addrs = append(addrs, l.Addr().String())
	}
	return addrs, nil
}

// ready asks until the answer is 200.
func ready(ctx context.Context, url string) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
		if err != nil {
			return err
		}
		resp, err := http.DefaultClient.Do(req)
		if err == nil {
			resp.Body.Close()
			if resp.StatusCode == http.StatusOK {
				return nil
			}
			err = errors.New(resp.Status)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return err
		}
	}
}
