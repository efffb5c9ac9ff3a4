package load

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
)

// Publishing says who publishes what, and how fast.
type Publishing struct {
	Address    string        // HOST:PORT over HTTP, or nats://… over NATS
	Path       string        // the path to POST to, or the subject to send requests to
	Publishers int           // how many at the same time, each waits for its answer before it sends the next
	Topics     int           // over HTTP: how many topics below Path are published to in turn; 0 means Path itself
	Size       int           // bytes per message
	Rate       float64       // messages per second altogether; 0 means as fast as the answers come
	Length     time.Duration // how long
}

// Published is what came of it.
type Published struct {
	Messages int64
	Seconds  float64
}

// sender sends one message and waits until it is accepted.
type sender interface{ send() error }

// Publish runs until the time is over; the first failure ends it.
func Publish(p Publishing) (Published, error) {
	ctx, cancel := context.WithTimeout(context.Background(), p.Length)
	defer cancel()
	senders, closeAll, err := p.senders()
	if err != nil {
		return Published{}, err
	}
	defer closeAll()
	var (
		wait  sync.WaitGroup
		count atomic.Int64
		first atomic.Pointer[error]
	)
	start := time.Now()
	for i, each := range senders {
		wait.Go(func() {
			for turn := 0; ctx.Err() == nil; turn++ {
				if !p.pace(ctx, start, turn*len(senders)+i) {
					return
				}
				if err := each.send(); err != nil {
					first.CompareAndSwap(nil, &err)
					cancel()
					return
				}
				count.Add(1)
			}
		})
	}
	wait.Wait()
	if err := first.Load(); err != nil {
		return Published{}, fmt.Errorf("publishing: %w", *err)
	}
	return Published{Messages: count.Load(), Seconds: time.Since(start).Seconds()}, nil
}

// pace waits until the message of this number is due.
func (p Publishing) pace(ctx context.Context, start time.Time, number int) bool {
	if p.Rate == 0 {
		return true
	}
	due := start.Add(time.Duration(float64(number) / p.Rate * float64(time.Second)))
	select {
	case <-ctx.Done():
		return false
	case <-time.After(time.Until(due)):
		return true
	}
}

func (p Publishing) senders() ([]sender, func(), error) {
	body := Message(p.Size)
	senders := make([]sender, 0, p.Publishers)
	if strings.HasPrefix(p.Address, "nats://") {
		nc, err := nats.Connect(p.Address)
		if err != nil {
			return nil, nil, err
		}
		for range p.Publishers {
			senders = append(senders, &natsSender{nc: nc, subject: p.Path, body: body})
		}
		return senders, nc.Close, nil
	}
	paths := []string{p.Path}
	if p.Topics > 0 {
		paths = paths[:0]
		for i := range p.Topics {
			paths = append(paths, p.Path+"/"+strconv.Itoa(i))
		}
	}
	pool, err := dialAPIs(p.Address, p.Publishers)
	if err != nil {
		return nil, nil, err
	}
	for i := range p.Publishers {
		c := <-pool
		senders = append(senders, &httpSender{api: c, paths: paths, turn: i * len(paths) / p.Publishers, body: body})
	}
	return senders, func() {
		for _, each := range senders {
			_ = each.(*httpSender).api.conn.Close()
		}
	}, nil
}

// Message is a JSON string of exactly size bytes, quotes included.
func Message(size int) []byte {
	return []byte(`"` + strings.Repeat("m", size-2) + `"`)
}

// natsSender publishes through the acknowledged subject.
type natsSender struct {
	nc      *nats.Conn
	subject string
	body    []byte
}

func (s *natsSender) send() error {
	reply, err := s.nc.Request(s.subject, s.body, 10*time.Second)
	if err != nil {
		return err
	}
	if text := reply.Header.Get("Nats-Service-Error"); text != "" {
		return fmt.Errorf("%s: %s", s.subject, text)
	}
	return nil
}

// httpSender posts over one keep-alive connection, to its paths in turn.
type httpSender struct {
	api   *apiConn
	paths []string
	turn  int
	body  []byte
}

func (s *httpSender) send() error {
	s.turn++
	return s.api.call(http.MethodPost, s.paths[s.turn%len(s.paths)], s.body)
}
