// Package measure runs the measures: it starts the servers and the workers and reads the kernel's accounts of the servers.
package measure

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/swindon-go/swindon/integration/bench/proc"
	"github.com/swindon-go/swindon/integration/bench/worker"
)

// Bench is what all measures share. The zero value is not usable: Swindon, Self, Testdata and Log are required.
type Bench struct {
	Swindon  string        // the program under measurement
	Example  string        // a configuration for the measures of the whole process; empty means the benchmark's own
	Self     string        // this executable, which runs the workers
	Testdata string        // the folder of the configurations
	Length   time.Duration // of one run
	OnlyBase bool          // measure the baselines alone
	Log      io.Writer     // progress
}

// Sample is one run of one side of a measure.
type Sample struct {
	Value  float64 // in the measure's unit
	Detail string  // what else was seen: rates, counts
}

// server is a program under measurement, ours or a baseline, and where it can be reached.
type server struct {
	*proc.Process
	dir   string // its configuration and files, removed with it
	ports map[string]string
	also  []*proc.Process // what it needs: backends
}

// addr is the address of one of the ports in the configuration.
func (s *server) addr(name string) string { return "127.0.0.1:" + s.ports[name] }

// stop ends everything.
func (s *server) stop() {
	if s.Process != nil {
		s.Stop()
	}
	for _, each := range s.also {
		each.Stop()
	}
	_ = os.RemoveAll(s.dir)
}

// work starts a worker and waits until it is ready.
func (b *Bench) work(ctx context.Context, role string, args ...string) (*proc.Process, worker.Ready, error) {
	var ready worker.Ready
	p, err := proc.Start(ctx, role, b.Self, append([]string{"worker", role}, args...)...)
	if err != nil {
		return nil, ready, err
	}
	if err := p.Ask("", &ready); err != nil {
		p.Stop()
		return nil, ready, err
	}
	return p, ready, nil
}

// backed starts an HTTP backend and makes the files and ports for a server in front of it.
func (b *Bench) backed(ctx context.Context) (*server, error) {
	dir, err := os.MkdirTemp("", "swindon-bench-")
	if err != nil {
		return nil, err
	}
	s := &server{dir: dir, ports: map[string]string{"DIR": dir, "PUBLIC": filepath.Join(dir, "public")}}
	if err := os.Chmod(dir, 0o755); err != nil {
		return nil, err
	}
	if err := writePublic(s.ports["PUBLIC"]); err != nil {
		s.stop()
		return nil, err
	}
	backend, ready, err := b.work(ctx, worker.HTTPBackend)
	if err != nil {
		s.stop()
		return nil, err
	}
	s.also = append(s.also, backend)
	_, s.ports["BACKEND"], _ = net.SplitHostPort(ready.Addr)
	for _, name := range []string{"HTTP", "API", "ADMIN", "NATS"} {
		if s.ports[name], err = freePort(); err != nil {
			s.stop()
			return nil, err
		}
	}
	s.ports["NATSMODE"], s.ports["GRACE"] = "{listen: [127.0.0.1:"+s.ports["NATS"]+"]}", "60s"
	return s, nil
}

// writePublic makes the files of the static measures.
func writePublic(dir string) error {
	if err := os.Mkdir(dir, 0o755); err != nil {
		return err
	}
	for name, size := range map[string]int{"1k.bin": 1 << 10, "10m.bin": 10 << 20} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(strings.Repeat("0123456789abcdef", size/16)), 0o644); err != nil {
			return err
		}
	}
	return nil
}

// configure writes a configuration of testdata with its names replaced.
func (b *Bench) configure(s *server, name string) (string, error) {
	text, err := os.ReadFile(filepath.Join(b.Testdata, name))
	if err != nil {
		return "", err
	}
	file := filepath.Join(s.dir, name)
	replaced := os.Expand(string(text), func(key string) string { return s.ports[key] })
	return file, os.WriteFile(file, []byte(replaced), 0o600)
}

// gateway starts our program, with a NATS backend when asked for, and waits until it is ready.
func (b *Bench) gateway(ctx context.Context, natsBackend bool) (*server, error) {
	s, err := b.backed(ctx)
	if err != nil {
		return nil, err
	}
	if err = b.run(ctx, s); err == nil && natsBackend {
		var backend *proc.Process
		if backend, _, err = b.work(ctx, worker.NATSBackend, "-url", "nats://"+s.addr("NATS")); err == nil {
			s.also = append(s.also, backend)
		}
	}
	if err != nil {
		s.stop()
		return nil, err
	}
	return s, nil
}

// run starts our program on what was prepared and waits until it is ready.
func (b *Bench) run(ctx context.Context, s *server) error {
	file, err := b.configure(s, "gateway.yaml")
	if err != nil {
		return err
	}
	if s.Process, err = proc.Start(ctx, "swindon", b.Swindon, "--config", file); err != nil {
		return err
	}
	return s.awaitReady(ctx, "http://"+s.addr("ADMIN")+"/ready", http.StatusOK)
}

// bare starts a baseline program of ours.
func (b *Bench) bare(ctx context.Context, role string) (*server, error) {
	p, ready, err := b.work(ctx, role)
	if err != nil {
		return nil, err
	}
	_, port, _ := net.SplitHostPort(ready.Addr)
	return &server{Process: p, ports: map[string]string{"HTTP": port}}, nil
}

// awaitReady polls until the URL answers so. Polling is what a supervisor does as well; the program has no other way to tell.
func (s *server) awaitReady(ctx context.Context, url string, status int) error {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	for {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
		if err != nil {
			return err
		}
		if resp, err := client.Do(req); err == nil {
			_ = resp.Body.Close()
			if resp.StatusCode == status {
				return nil
			}
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%s is not ready at %s: %w\n%s", s.Name, url, ctx.Err(), s.Logs())
		case <-time.After(time.Millisecond):
		}
	}
}

// freePort asks the kernel for a port that nobody uses just now.
func freePort() (string, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer func() { _ = listener.Close() }()
	return strconv.Itoa(listener.Addr().(*net.TCPAddr).Port), nil
}

// pause waits, unless the benchmark is interrupted.
func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}
