package gateway_test

import (
	"bufio"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/swindon-go/swindon/broker/memory"
	"github.com/swindon-go/swindon/gateway/backend"
)

// TestSlowClientIsToldTheSum: a client that does not read for a while is not cut for a counter that goes on changing; it
// is told the sum when it reads again, nothing overtakes the frame with the whole state, and other frames stay.
func TestSlowClientIsToldTheSum(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const bound, updates = 100, 2000
		s := newSetup(t)
		s.pool.MaxOutgoingFrames = bound
		nd := startNodeWith(t, 1, s, memory.NewNetwork(0), func(string) (backend.Destination, bool) {
			return backend.Destination{HTTP: annBackend{}}, true
		})
		slow, r := connect(t, nd)
		quick := come(t, nd)
		hello(t, quick)
		update := func(n int) {
			t.Helper()
			text := fmt.Sprintf(`{"shared":{"q:1":{"size_counter":%d}}}`, n)
			if n == 1 {
				text = `{"shared":{"q:1":{"size_counter":1}},"private":{"ann":{"q:1":{}}}}`
			}
			if err := nd.pool.UpdateLattice(t.Context(), "desk", delta(t, text)); err != nil {
				t.Fatal(err)
			}
			synctest.Wait() // the quick client reads
		}
		attach := func(n uint64) {
			t.Helper()
			if err := nd.pool.AttachLattice(t.Context(), connOf(nd, n), "desk", delta(t, "{}")); err != nil {
				t.Fatal(err)
			}
		}
		told := func(n int) string {
			return fmt.Sprintf(`["lattice",{"namespace":"desk"},{"q:1":{"size_counter":%d}}]`, n)
		}
		for n := range uint64(2) {
			attach(n)
			if err := nd.pool.Subscribe(t.Context(), connOf(nd, n), "a"); err != nil {
				t.Fatal(err)
			}
		}
		big := `"` + strings.Repeat("x", 200_000) + `"`
		publish := func(text string) {
			t.Helper()
			if err := nd.pool.Publish(t.Context(), "a", []byte(text)); err != nil {
				t.Fatal(err)
			}
		}
		synctest.Wait()
		publish(big) // more than the network takes
		for n := 1; n <= updates; n++ {
			update(n)
		}
		publish(`"between"`)
		attach(0)
		for n := updates + 1; n <= 2*updates; n++ {
			update(n)
		}
		slow.send(0x81, []byte(`["a.b",{"request_id":7},[],{}]`))
		synctest.Wait()
		if _, err := read(r, nothingSeen); err != nil {
			t.Error(err)
		}
		want := []string{`["message",{"topic":"a"},` + big + `]`}
		// What is being written counts as well; half of the bound and one are not joined.
		for n := 1; n <= bound/2; n++ {
			want = append(want, told(n))
		}
		want = append(want, told(updates), `["message",{"topic":"a"},"between"]`, told(updates), told(2*updates), `["result",{"request_id":7},{"user_id":"ann"}]`)
		for _, w := range want {
			if got, err := read(r, w); err != nil {
				t.Fatalf("%s: %v", got, err)
			}
		}
		joined := float64(2*updates - bound/2 - 2)
		if n := value(t, nd, "swindon_gateway_lattice_joins_total"); n != joined {
			t.Errorf("%v joins were counted, want %v", n, joined)
		}
		// From now on it is told as everybody is; and nothing else has been kept for it.
		update(2*updates + 1)
		if got, err := read(r, told(2*updates+1)); err != nil {
			t.Errorf("%s: %v", got, err)
		}
		_ = slow.conn.SetReadDeadline(time.Now().Add(time.Second))
		if b, err := r.ReadByte(); err == nil {
			t.Errorf("got %x, want nothing more", b)
		}
		_ = slow.conn.SetReadDeadline(time.Time{})

		quickly := []string{nothingSeen, `["message",{"topic":"a"},` + big + `]`}
		for n := 1; n <= 2*updates+1; n++ {
			if n == updates+1 {
				quickly = append(quickly, `["message",{"topic":"a"},"between"]`)
			}
			quickly = append(quickly, told(n))
		}
		expect(t, quick, quickly...)
	})
}

// read takes the next text frame; the error says that it is another than wanted.
func read(r *bufio.Reader, want string) (string, error) {
	for {
		op, payload, err := readFrame(r)
		got := string(payload)
		switch {
		case err != nil:
			return "", err
		case op == 9:
			continue
		case op != 1 || got != want:
			return fmt.Sprintf("%x %.100q", op, got), fmt.Errorf("want %.100q", want)
		}
		return got, nil
	}
}

// value is that of a metric without labels.
func value(t *testing.T, nd *node, name string) float64 {
	t.Helper()
	families, err := nd.registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() == name {
			return f.GetMetric()[0].GetCounter().GetValue()
		}
	}
	t.Fatalf("no metric %s", name)
	return 0
}
