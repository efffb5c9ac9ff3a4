package broker

import (
	"fmt"
	"testing"
	"testing/synctest"

	"github.com/nats-io/nats.go"
	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"

	"github.com/swindon-go/swindon/internal/port"
)

// TestIntakeOverflow: beyond the bound the newest messages are dropped, which is told once per spell; then it goes on.
func TestIntakeOverflow(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m, err := newMetrics(nil)
		if err != nil {
			t.Fatal(err)
		}
		gaps := make(chan string, 10)
		got := make(chan string, 100)
		release := make(chan struct{})
		in := newIntake(func(m port.Message) {
			<-release
			got <- string(m.Data)
		}, func(reason string) { gaps <- reason }, m)
		one := &nats.Msg{Subject: "s", Data: []byte("00")}
		in.limit = 5 * size(one)
		in.start()
		for spell := range 2 {
			for i := range 8 {
				in.ch <- &nats.Msg{Subject: "s", Data: fmt.Appendf(nil, "%d%d", spell, i)}
			}
			synctest.Wait()
			if len(gaps) != 1 || <-gaps != gapOverflow {
				t.Fatalf("spell %d: told of %d more gaps", spell, len(gaps))
			}
			for range 5 {
				release <- struct{}{}
			}
			synctest.Wait()
			for i := range 5 {
				if s := <-got; s != fmt.Sprintf("%d%d", spell, i) {
					t.Errorf("spell %d, message %d: %s", spell, i, s)
				}
			}
		}
		if n := count(t, m.dropped); n != 6 {
			t.Errorf("counted %v dropped messages, want 6", n)
		}
		in.stop()
		if len(got) != 0 {
			t.Errorf("%d more messages", len(got))
		}
	})
}

// count is the value of a counter.
func count(t *testing.T, c prometheus.Metric) float64 {
	t.Helper()
	var m dto.Metric
	if err := c.Write(&m); err != nil {
		t.Fatal(err)
	}
	return m.GetCounter().GetValue()
}
