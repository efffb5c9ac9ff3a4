package broker

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/swindon-go/swindon/broker/brokertest"
	"github.com/swindon-go/swindon/internal/names"
	"github.com/swindon-go/swindon/internal/port"
)

// TestStoreLeaderLost: when the server that leads a bucket goes away, with the node's connection, writes and reads fail
// with the errors that say so, then go on; nothing that was acknowledged is lost, and the last sequence is never behind.
func TestStoreLeaderLost(t *testing.T) {
	c := brokertest.Cluster(t, 3)
	cfg := DefaultConfig()
	cfg.URL = []string{c.URL(0), c.URL(1), c.URL(2)}
	s := awaitStore(t, open(t, cfg, quiet(t, testNode)), "main")
	if !s.MayLag() {
		t.Error("with three replicas none can lag")
	}
	stream := names.Bucket("sw_main_lat").Stream()

	// Elections take 4 to 9 s, each, and longer on a busy machine.
	wait, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	stop, stopped := make(chan struct{}), make(chan struct{})
	acked, rev := 0, uint64(0)
	written := make(chan struct{}, 1) // holds a token when something has been written
	go func() {
		defer close(stopped)
		for {
			select {
			case <-stop:
				return
			default:
			}
			c, cancel := context.WithTimeout(wait, time.Second)
			next, err := s.CompareAndSwap(c, "n.s.k", rev, fmt.Append(nil, acked+1), 0)
			cancel()
			if err == nil {
				acked, rev = acked+1, next
				select {
				case written <- struct{}{}:
				default:
				}
				continue
			}
			if !errors.Is(err, port.ErrTimeout) && !errors.Is(err, port.ErrUnavailable) && !errors.Is(err, port.ErrRevision) {
				t.Errorf("write: %v", err)
			}
			if wait.Err() != nil {
				t.Error("no write succeeds any more: ", err)
				return
			}
			select {
			case <-time.After(20 * time.Millisecond): // others need the time for an election
			case <-stop:
			}
			// It may have been done all the same. The answer may be lost with its server, too.
			c, cancel = context.WithTimeout(wait, time.Second)
			e, err := s.GetLatest(c, "n.s.k")
			cancel()
			if err == nil && e.Revision > rev {
				var n int
				if _, err := fmt.Sscan(string(e.Value), &n); err != nil || n != acked+1 {
					t.Errorf("%q after %d", e.Value, acked)
				}
				acked, rev = n, e.Revision
			}
		}
	}()
	progress := func() {
		t.Helper()
		select {
		case <-written:
		case <-stopped:
			t.Fatal("the writer has given up")
		}
	}
	progress()
	leader := c.Leader(stream)
	c.Stop(leader)
	if err := awaitLast(wait, s); err != nil {
		t.Fatal(err)
	}
	progress() // perhaps from before
	progress()
	c.Restart(leader)
	progress()
	close(stop)
	<-stopped
	if acked == 0 {
		t.Fatal("nothing was written")
	}
	e := must[port.Entry](t)(s.GetLatest(wait, "n.s.k"))
	if string(e.Value) != fmt.Sprint(acked) || e.Revision != rev {
		t.Errorf("the last value is %q at %d, acknowledged were %d at %d", e.Value, e.Revision, acked, rev)
	}
	if n := must[uint64](t)(s.LastSequence(wait)); n != rev {
		t.Errorf("the last sequence is %d, not %d", n, rev)
	}
}

// awaitLast asks for the last sequence until a leader answers.
func awaitLast(wait context.Context, s *Store) error {
	for {
		c, cancel := context.WithTimeout(wait, time.Second)
		_, err := s.LastSequence(c)
		cancel()
		if err == nil || wait.Err() != nil {
			return err
		}
		if !errors.Is(err, port.ErrTimeout) && !errors.Is(err, port.ErrUnavailable) {
			return err
		}
	}
}
