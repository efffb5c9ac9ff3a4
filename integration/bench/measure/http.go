package measure

import (
	"context"
	"fmt"
	"net/http"
	"os/exec"
	"regexp"
	"strconv"

	"github.com/swindon-go/swindon/integration/bench/proc"
)

// wrk is requests for one path over keep-alive connections, made by the program wrk.
type wrk struct {
	path  string
	conns int
}

// ours measures CPU microseconds of swindon per request.
func (w wrk) ours(ctx context.Context, b *Bench) (Sample, error) {
	s, err := b.gateway(ctx, false)
	if err != nil {
		return Sample{}, err
	}
	defer s.stop()
	return w.run(ctx, b, s)
}

// base measures nginx, master and workers together.
func (w wrk) base(ctx context.Context, b *Bench) (Sample, error) {
	s, err := b.backed(ctx)
	if err != nil {
		return Sample{}, err
	}
	defer s.stop()
	file, err := b.configure(s, "nginx.conf")
	if err != nil {
		return Sample{}, err
	}
	path, err := exec.LookPath("nginx")
	if err != nil {
		return Sample{}, fmt.Errorf("%w: install it with apt-get install nginx-light wrk", err)
	}
	if s.Process, err = proc.Start(ctx, "nginx", path, "-p", s.dir, "-c", file, "-g", "daemon off;"); err != nil {
		return Sample{}, err
	}
	if err := s.awaitReady(ctx, "http://"+s.addr("HTTP")+"/1k.bin", http.StatusOK); err != nil {
		return Sample{}, err
	}
	return w.run(ctx, b, s)
}

// results of wrk: the number of requests, and what failed.
var (
	wrkRequests = regexp.MustCompile(`(\d+) requests in`)
	wrkFailures = regexp.MustCompile(`Socket errors:.*|Non-2xx.*`)
)

func (w wrk) run(ctx context.Context, b *Bench, s *server) (Sample, error) {
	url := "http://" + s.addr("HTTP") + w.path
	seconds := max(1, int(b.Length.Seconds()))
	warm := exec.CommandContext(ctx, "wrk", "-t1", "-c"+strconv.Itoa(w.conns), "-d1s", url)
	if out, err := warm.CombinedOutput(); err != nil {
		return Sample{}, fmt.Errorf("wrk: %w %s", err, out)
	}
	used, err := s.CPU()
	if err != nil {
		return Sample{}, err
	}
	out, err := exec.CommandContext(ctx, "wrk", "-t1", "-c"+strconv.Itoa(w.conns), "-d"+strconv.Itoa(seconds)+"s", url).CombinedOutput()
	if err != nil {
		return Sample{}, fmt.Errorf("wrk: %w %s", err, out)
	}
	now, err := s.CPU()
	if err != nil {
		return Sample{}, err
	}
	found := wrkRequests.FindSubmatch(out)
	if found == nil || wrkFailures.Match(out) {
		return Sample{}, fmt.Errorf("%s did not answer all requests:\n%s\n%s", s.Name, out, s.Logs())
	}
	requests, _ := strconv.ParseInt(string(found[1]), 10, 64)
	if requests == 0 {
		return Sample{}, fmt.Errorf("%s answered nothing:\n%s", s.Name, out)
	}
	cpu := now - used
	return Sample{
		Value:  float64(cpu.Microseconds()) / float64(requests),
		Detail: fmt.Sprintf("%.0f requests/s, %v CPU in %d s", float64(requests)/float64(seconds), cpu, seconds),
	}, nil
}
