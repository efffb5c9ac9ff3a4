package measure

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"time"

	"github.com/swindon-go/swindon/integration/bench/load"
	"github.com/swindon-go/swindon/integration/bench/proc"
	"github.com/swindon-go/swindon/integration/bench/worker"
)

// cluster is nodes on one external NATS server with its store in a file and the default for syncing it.
type cluster struct {
	nats  *proc.Process
	url   string
	dir   string
	nodes []*server
}

func (c *cluster) stop() {
	for _, each := range c.nodes {
		each.stop()
	}
	if c.nats != nil {
		c.nats.Stop()
	}
	_ = os.RemoveAll(c.dir)
}

// cluster starts so many nodes and waits until all are ready.
func (b *Bench) cluster(ctx context.Context, nodes int) (*cluster, error) {
	dir, err := os.MkdirTemp("", "swindon-bench-nats-")
	if err != nil {
		return nil, err
	}
	c := &cluster{dir: dir}
	if err := b.fill(ctx, c, nodes); err != nil {
		c.stop()
		return nil, err
	}
	return c, nil
}

func (b *Bench) fill(ctx context.Context, c *cluster, nodes int) error {
	nats, ready, err := b.work(ctx, worker.NATSServer, "-store", c.dir)
	if err != nil {
		return err
	}
	c.nats, c.url = nats, ready.Addr
	for range nodes {
		s, err := b.backed(ctx)
		if err != nil {
			return err
		}
		c.nodes = append(c.nodes, s)
		s.ports["NATSMODE"] = "{url: [" + strconv.Quote(c.url) + "]}"
		if err := b.run(ctx, s); err != nil {
			return err
		}
	}
	// The nodes hear of each other with the next beat.
	return pause(ctx, 1500*time.Millisecond)
}

// embedded starts a node with its own NATS server, which listens for the load generators, too, and keeps its store in a
// file. The caller stops it.
func (b *Bench) embedded(ctx context.Context) (*server, error) {
	s, err := b.backed(ctx)
	if err != nil {
		return nil, err
	}
	s.ports["NATSMODE"] = "{listen: [127.0.0.1:" + s.ports["NATS"] + "], store-dir: " + strconv.Quote(filepath.Join(s.dir, "store")) + "}"
	if err := b.run(ctx, s); err != nil {
		s.stop()
		return nil, err
	}
	return s, nil
}

// cpu is what the nodes and the NATS server have used so far.
func (c *cluster) cpu() (nodes []time.Duration, nats time.Duration, err error) {
	for _, s := range c.nodes {
		used, err := proc.FineCPU(s.PID())
		if err != nil {
			return nil, 0, err
		}
		nodes = append(nodes, used)
	}
	nats, err = proc.FineCPU(c.nats.PID())
	return nodes, nats, err
}

// ask runs a worker for one question.
func (b *Bench) ask(ctx context.Context, answer any, role string, args ...string) error {
	p, _, err := b.work(ctx, role, args...)
	if err != nil {
		return err
	}
	defer p.Stop()
	return p.Ask("run", answer)
}

// metric reads one metric of a node: the sum of its series.
func (s *server) metric(ctx context.Context, name string) (float64, error) {
	text, err := s.metrics(ctx)
	if err != nil {
		return 0, err
	}
	return total(text, name)
}

// metrics reads all metrics of a node.
func (s *server) metrics(ctx context.Context) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+s.addr("ADMIN")+"/metrics", nil)
	if err != nil {
		return nil, err
	}
	resp, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Do(req)
	if err != nil {
		return nil, err
	}
	defer func() { _ = resp.Body.Close() }()
	return io.ReadAll(resp.Body)
}

// total adds up the series of a metric in the text of all; there must be one at least.
func total(text []byte, name string) (sum float64, err error) {
	found := regexp.MustCompile(`(?m)^`+name+`(?:\{[^}]*\})? (\S+)`).FindAllSubmatch(text, -1)
	if found == nil {
		return 0, fmt.Errorf("no metric %s", name)
	}
	for _, series := range found {
		value, err := strconv.ParseFloat(string(series[1]), 64)
		if err != nil {
			return 0, fmt.Errorf("metric %s: %w", name, err)
		}
		sum += value
	}
	return sum, nil
}

// losses is how often a node has missed messages of others, or may have.
type losses struct{ gaps, dropped float64 }

func (s *server) losses(ctx context.Context) (losses, error) {
	text, err := s.metrics(ctx)
	if err != nil {
		return losses{}, err
	}
	return lossesIn(text)
}

func lossesIn(text []byte) (l losses, err error) {
	if l.gaps, err = total(text, "swindon_nats_gaps_total"); err != nil {
		return l, err
	}
	l.dropped, err = total(text, "swindon_nats_dropped_total")
	return l, err
}

// since fails when messages were lost after an earlier reading: work that a node did not do must not count as cheap.
func (l losses) since(before losses) error {
	if l.gaps > before.gaps || l.dropped > before.dropped {
		return fmt.Errorf("the measured node lost messages: %v gaps and %v dropped before, %v and %v now", before.gaps, before.dropped, l.gaps, l.dropped)
	}
	return nil
}

// perUnit is CPU time in microseconds by a count.
func perUnit(d time.Duration, n int64) float64 { return float64(d.Microseconds()) / float64(max(n, 1)) }

func words(s load.Spread) string {
	return fmt.Sprintf("p50 %.2f ms, p99 %.2f ms, max %.1f ms", s.P50, s.P99, s.Max)
}
