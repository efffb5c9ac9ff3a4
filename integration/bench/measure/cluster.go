package measure

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
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

// metric reads one value without labels from the metrics of a node.
func (s *server) metric(ctx context.Context, name string) (float64, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+s.addr("ADMIN")+"/metrics", nil)
	if err != nil {
		return 0, err
	}
	resp, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Do(req)
	if err != nil {
		return 0, err
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		return 0, err
	}
	found := regexp.MustCompile(`(?m)^` + name + ` (\S+)`).FindSubmatch(text)
	if found == nil {
		return 0, fmt.Errorf("no metric %s", name)
	}
	return strconv.ParseFloat(string(found[1]), 64)
}

// perUnit is CPU time in microseconds by a count.
func perUnit(d time.Duration, n int64) float64 { return float64(d.Microseconds()) / float64(max(n, 1)) }

func words(s load.Spread) string {
	return fmt.Sprintf("p50 %.2f ms, p99 %.2f ms, max %.1f ms", s.P50, s.P99, s.Max)
}
