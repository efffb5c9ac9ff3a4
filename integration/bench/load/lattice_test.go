package load

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
)

func TestSpread(t *testing.T) {
	t.Parallel()
	var d []time.Duration
	for i := range 101 {
		d = append(d, time.Duration(100-i)*time.Millisecond)
	}
	if s := spread(d); s != (Spread{P50: 50, P99: 99, Max: 100}) {
		t.Errorf("spread = %+v", s)
	}
	if s := spread(nil); s != (Spread{}) {
		t.Errorf("spread of nothing = %+v", s)
	}
}

func TestAppendKeys(t *testing.T) {
	t.Parallel()
	var keys map[string]map[string]int
	if err := json.Unmarshal(AppendKeys(nil, 3, 7), &keys); err != nil || len(keys) != 3 || keys["room:9"]["read_counter"] != 3 {
		t.Errorf("AppendKeys: %v, %v", keys, err)
	}
}

// TestAskAll: all answers are counted, and a refusal ends the loop.
func TestAskAll(t *testing.T) {
	t.Parallel()
	s, err := server.NewServer(&server.Options{Host: "127.0.0.1", Port: -1, NoSigs: true, NoLog: true})
	if err != nil {
		t.Fatal(err)
	}
	s.Start()
	defer s.Shutdown()
	nc, err := nats.Connect(s.ClientURL())
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	const flying, total = 5, 100
	requests := make(chan *nats.Msg, total)
	if _, err := nc.ChanSubscribe("ask", requests); err != nil {
		t.Fatal(err)
	}
	go func() {
		for m := range requests {
			_ = m.Respond(nil)
		}
	}()
	sent := 0
	asked, err := askAll(nc, flying, func() (string, []byte, bool) {
		if sent == total {
			return "", nil, false
		}
		sent++
		return "ask", nil, true
	})
	if err != nil || asked.Answers != total || asked.Spread.Max <= 0 {
		t.Errorf("asked %+v: %v", asked, err)
	}
	if _, err := askAll(nc, 1, func() (string, []byte, bool) { return "nobody", nil, true }); err == nil {
		t.Error("a request that nobody serves is no error")
	}
}

func TestAPI(t *testing.T) {
	t.Parallel()
	var calls atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		calls.Add(1)
		if r.Method != http.MethodPut || r.URL.Path != "/v1/x" || r.ContentLength != 2 || r.Header.Get("Content-Type") != "application/json" {
			http.Error(w, fmt.Sprint(r.Method, r.URL, r.ContentLength), http.StatusBadRequest)
			return
		}
		w.WriteHeader(http.StatusNoContent)
	}))
	defer server.Close()
	pool, err := dialAPIs(strings.TrimPrefix(server.URL, "http://"), 2)
	if err != nil {
		t.Fatal(err)
	}
	defer pool.close()
	for range 5 {
		if err := pool.call(http.MethodPut, "/v1/x", []byte("{}")); err != nil {
			t.Fatal(err)
		}
	}
	if calls.Load() != 5 {
		t.Errorf("%d calls instead of 5", calls.Load())
	}
	if err := pool.call(http.MethodPut, "/v1/other", []byte("{}")); err == nil {
		t.Error("a refusal is no error")
	}
}
