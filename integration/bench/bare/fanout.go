package bare

import (
	"io"
	"net/http"
	"sync"
)

// Fanout is one topic: every websocket on /ws gets every body that is posted to /publish.
type Fanout struct {
	mu    sync.RWMutex // guards conns
	conns map[*conn]struct{}
	mux   *http.ServeMux
}

// NewFanout returns an empty topic.
func NewFanout() *Fanout {
	f := &Fanout{conns: make(map[*conn]struct{}), mux: http.NewServeMux()}
	f.mux.HandleFunc("GET /ws", f.subscribe)
	f.mux.HandleFunc("POST /publish", f.publish)
	return f
}

func (f *Fanout) ServeHTTP(w http.ResponseWriter, r *http.Request) { f.mux.ServeHTTP(w, r) }

func (f *Fanout) subscribe(w http.ResponseWriter, r *http.Request) {
	c, err := accept(w, r)
	if err != nil {
		return
	}
	f.mu.Lock()
	f.conns[c] = struct{}{}
	f.mu.Unlock()
	for {
		if _, _, err := c.NextReader(); err != nil {
			break
		}
	}
	close(c.done)
	_ = c.Close()
	f.mu.Lock()
	delete(f.conns, c)
	f.mu.Unlock()
}

func (f *Fanout) publish(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	m := newMessage(body)
	f.mu.RLock()
	for c := range f.conns {
		c.send(m)
	}
	f.mu.RUnlock()
	w.WriteHeader(http.StatusNoContent)
}

// Echo sends every message of a websocket on /ws back on the same one.
func Echo() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /ws", func(w http.ResponseWriter, r *http.Request) {
		c, err := accept(w, r)
		if err != nil {
			return
		}
		for {
			_, body, err := c.ReadMessage()
			if err != nil {
				break
			}
			if !c.send(newMessage(body)) {
				break
			}
		}
		close(c.done)
		_ = c.Close()
	})
	return mux
}
