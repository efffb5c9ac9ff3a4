package measure

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"time"

	"github.com/swindon-go/swindon/integration/bench/proc"
	"github.com/swindon-go/swindon/integration/bench/worker"
)

// idle is authorized connections with one subscription each that do nothing.
type idle struct {
	conns int
	rest  time.Duration // after the last connection, so that garbage of the handshakes is collected
}

// ours measures KiB of resident memory per connection, and tells how many goroutines there are per connection.
func (i idle) ours(ctx context.Context, b *Bench) (Sample, error) {
	s, err := b.gateway(ctx, false)
	if err != nil {
		return Sample{}, err
	}
	defer s.stop()
	// What only the start needs has ended after a moment.
	if err := pause(ctx, time.Second); err != nil {
		return Sample{}, err
	}
	metrics := "http://" + s.addr("ADMIN") + "/metrics"
	before, err := goroutines(ctx, metrics)
	if err != nil {
		return Sample{}, err
	}
	// Ten connections of a session pool share a topic: users in rooms.
	sample, err := i.run(ctx, b, s, func() (string, error) {
		after, err := goroutines(ctx, metrics)
		return fmt.Sprintf(", goroutines %d → %d (%+d)", before, after, after-before), err
	}, "-url", "ws://"+s.addr("HTTP")+"/ws", "-api", s.addr("API"), "-topic", "bench/room", "-sharing", "10")
	return sample, err
}

// base measures the bare fan-out program.
func (i idle) base(ctx context.Context, b *Bench) (Sample, error) {
	s, err := b.bare(ctx, worker.BareFanout)
	if err != nil {
		return Sample{}, err
	}
	defer s.stop()
	return i.run(ctx, b, s, func() (string, error) { return "", nil }, "-url", "ws://"+s.addr("HTTP")+"/ws")
}

func (i idle) run(ctx context.Context, b *Bench, s *server, more func() (string, error), target ...string) (Sample, error) {
	before, err := s.RSS()
	if err != nil {
		return Sample{}, err
	}
	start := time.Now()
	subscribers, _, err := b.work(ctx, worker.Subscribers, append(target, "-n", strconv.Itoa(i.conns))...)
	if err != nil {
		return Sample{}, fmt.Errorf("%w\n%s", err, s.Logs())
	}
	defer subscribers.Stop()
	took := time.Since(start)
	if err := pause(ctx, i.rest); err != nil {
		return Sample{}, err
	}
	after, err := s.RSS()
	if err != nil {
		return Sample{}, err
	}
	detail, err := more()
	if err != nil {
		return Sample{}, err
	}
	const kib, mib = 1 << 10, 1 << 20
	return Sample{
		Value: float64(after-before) / float64(i.conns) / kib,
		Detail: fmt.Sprintf("%d connections in %.1f s, RSS %.1f → %.1f MiB%s", i.conns, took.Seconds(),
			float64(before)/mib, float64(after)/mib, detail),
	}, nil
}

var goGoroutines = regexp.MustCompile(`(?m)^go_goroutines (\d+)`)

// goroutines reads the number of goroutines from the metrics, the least of a few times: some live for a moment only, such as
// those of a beat. The connection that asks has a goroutine or two itself, which count on both sides of the difference.
func goroutines(ctx context.Context, url string) (int, error) {
	least := 0
	for i := range 5 {
		n, err := readGoroutines(ctx, url)
		if err != nil {
			return 0, err
		}
		if i == 0 || n < least {
			least = n
		}
		if err := pause(ctx, 150*time.Millisecond); err != nil {
			return 0, err
		}
	}
	return least, nil
}

func readGoroutines(ctx context.Context, url string) (int, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return 0, err
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Do(req)
	if err != nil {
		return 0, err
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		return 0, err
	}
	found := goGoroutines.FindSubmatch(text)
	if found == nil {
		return 0, fmt.Errorf("%s has no go_goroutines", url)
	}
	return strconv.Atoi(string(found[1]))
}

// process is the whole process without any load.
type process struct {
	rest time.Duration
}

var adminListen = regexp.MustCompile(`(?s)\nadmin:.*?listen:\s*\[?\s*"?([0-9a-z.:]+)`)

// start starts the example's configuration (else the benchmark's) and returns how long /ready took.
func (p process) start(ctx context.Context, b *Bench) (*server, time.Duration, error) {
	s, err := b.backed(ctx)
	if err != nil {
		return nil, 0, err
	}
	file, err := b.configure(s, "gateway.yaml")
	ready := s.addr("ADMIN")
	if b.Example != "" && err == nil {
		var text []byte
		if text, err = os.ReadFile(b.Example); err == nil {
			found := adminListen.FindSubmatch(text)
			if found == nil {
				err = fmt.Errorf("%s has no admin.listen", b.Example)
			} else {
				ready, file = string(found[1]), b.Example
			}
		}
	}
	if err == nil {
		if _, _, bad := net.SplitHostPort(ready); bad != nil {
			err = bad
		}
	}
	if err != nil {
		s.stop()
		return nil, 0, err
	}
	path, err := filepath.Abs(file)
	if err != nil {
		s.stop()
		return nil, 0, err
	}
	begin := time.Now()
	if s.Process, err = proc.Start(ctx, "swindon", b.Swindon, "--config", path); err == nil {
		err = s.awaitReady(ctx, "http://"+ready+"/ready", http.StatusOK)
	}
	if err != nil {
		s.stop()
		return nil, 0, err
	}
	return s, time.Since(begin), nil
}

// startup measures milliseconds from exec to the first 200 on /ready.
func (p process) startup(ctx context.Context, b *Bench) (Sample, error) {
	s, took, err := p.start(ctx, b)
	if err != nil {
		return Sample{}, err
	}
	defer s.stop()
	return Sample{Value: float64(took.Microseconds()) / 1000, Detail: "from exec to 200 on /ready"}, nil
}

// memory measures MiB of resident memory of the idle process.
func (p process) memory(ctx context.Context, b *Bench) (Sample, error) {
	s, _, err := p.start(ctx, b)
	if err != nil {
		return Sample{}, err
	}
	defer s.stop()
	if err := pause(ctx, p.rest); err != nil {
		return Sample{}, err
	}
	rss, err := s.RSS()
	return Sample{Value: float64(rss) / (1 << 20), Detail: fmt.Sprintf("%v after start", p.rest)}, err
}
