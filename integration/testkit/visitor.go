package testkit

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gorilla/websocket"
)

// Event is one frame that a visitor got.
type Event struct {
	Kind string // hello, message, lattice, result …
	Meta json.RawMessage
	Data json.RawMessage
	At   time.Time
}

// String is the frame's text.
func (e Event) String() string { return fmt.Sprintf("[%q,%s,%s]", e.Kind, e.Meta, e.Data) }

// Visitor is one websocket of a user. It keeps every frame and merges lattices as the original's client library does. All methods may
// be called from any goroutine.
type Visitor struct {
	User string
	ID   string // connection id
	Node *Node  // that it is connected to
	View *View

	c       *Cluster
	conn    *websocket.Conn
	ended   chan struct{}
	writing sync.Mutex

	mu      sync.Mutex // guards what follows
	events  []Event
	changed chan struct{} // closed and replaced at each frame and at the end
	code    int           // of the Close frame; 1006 without one
	done    bool
}

var visits atomic.Int64

// Connect opens a websocket and waits for its hello. It is for any goroutine; Visit is for the test's.
func (c *Cluster) Connect(n *Node, user string) (*Visitor, error) {
	v, visit, await := c.Begin(n, user)
	if err := await(); err != nil {
		return nil, err
	}
	id, ok := c.Backend.connectionID(visit, Patience)
	if !ok {
		return nil, errors.New("the backend was not asked to authorize")
	}
	v.ID = id
	return v, nil
}

// Begin sends the handshake; the visitor is connected when the returned function has returned nil.
func (c *Cluster) Begin(n *Node, user string) (v *Visitor, visit string, await func() error) {
	v = &Visitor{User: user, Node: n, View: NewView(), c: c, ended: make(chan struct{}), changed: make(chan struct{})}
	visit = strconv.FormatInt(visits.Add(1), 10)
	result := make(chan error, 1)
	go func() { result <- v.dial(visit) }()
	return v, visit, func() error {
		if err := <-result; err != nil {
			return err
		}
		_, err := v.Await(Patience, func(e Event) bool { return e.Kind == "hello" })
		return err
	}
}

// Pending sends the handshake and waits until the backend is asked. The visitor is pending as long as the backend holds
// (Authority.Hold), and connected when the returned function has returned nil.
func (c *Cluster) Pending(n *Node, user string) (*Visitor, func() error) {
	c.T.Helper()
	v, visit, await := c.Begin(n, user)
	id, ok := c.Backend.connectionID(visit, Patience)
	if !ok {
		c.T.Fatal("the backend was not asked to authorize")
	}
	v.ID = id
	return v, await
}

// Visit is Connect for the test's goroutine.
func (c *Cluster) Visit(n *Node, user string) *Visitor {
	c.T.Helper()
	v, err := c.Connect(n, user)
	if err != nil {
		c.T.Fatalf("%s does not get into node %s: %v", user, n.Name, err)
	}
	c.T.Cleanup(v.Leave)
	return v
}

func (v *Visitor) dial(visit string) error {
	dialer := websocket.Dialer{Subprotocols: []string{Subprotocol}, HandshakeTimeout: Patience, NetDial: net.Dial}
	header := http.Header{"Host": {"localhost"}, "Cookie": {"user=" + v.User + "; visit=" + visit}}
	conn, response, err := dialer.Dial("ws://"+v.Node.Addr("HTTP")+"/ws", header)
	if err != nil {
		return err
	}
	_ = response.Body.Close()
	v.conn = conn
	go v.read()
	return nil
}

func (v *Visitor) read() {
	defer close(v.ended)
	for {
		_, text, err := v.conn.ReadMessage()
		v.mu.Lock()
		if err != nil {
			v.done, v.code = true, websocket.CloseAbnormalClosure
			if closed, ok := errors.AsType[*websocket.CloseError](err); ok {
				v.code = closed.Code
			}
		} else {
			v.events = append(v.events, v.parse(text))
		}
		close(v.changed)
		v.changed = make(chan struct{})
		v.mu.Unlock()
		if err != nil {
			_ = v.conn.Close()
			return
		}
	}
}

func (v *Visitor) parse(text []byte) Event {
	var parts [3]json.RawMessage
	e := Event{At: time.Now()}
	if err := json.Unmarshal(text, &parts); err != nil {
		v.c.T.Errorf("%s got %s: %v", v.User, text, err)
		return e
	}
	_ = json.Unmarshal(parts[0], &e.Kind)
	e.Meta, e.Data = parts[1], parts[2]
	if e.Kind == "lattice" {
		if err := v.View.Frame(e.Namespace(), e.Data); err != nil {
			v.c.T.Errorf("%s on node %s: %v, in %s", v.User, v.Node.Name, err, text)
		}
	}
	return e
}

// Namespace is that of a lattice frame.
func (e Event) Namespace() string {
	var meta struct {
		Namespace string `json:"namespace"`
	}
	_ = json.Unmarshal(e.Meta, &meta)
	return meta.Namespace
}

// Topic is that of a message.
func (e Event) Topic() string {
	var meta struct {
		Topic string `json:"topic"`
	}
	_ = json.Unmarshal(e.Meta, &meta)
	return meta.Topic
}

// Events are the frames so far.
func (v *Visitor) Events() []Event {
	v.mu.Lock()
	defer v.mu.Unlock()
	return slices.Clip(v.events)
}

// Lattice are the lattice frames of a namespace so far.
func (v *Visitor) Lattice(namespace string) []Event {
	var found []Event
	for _, e := range v.Events() {
		if e.Kind == "lattice" && e.Namespace() == namespace {
			found = append(found, e)
		}
	}
	return found
}

// Await waits for a frame, those that came already included.
func (v *Visitor) Await(patience time.Duration, match func(Event) bool) (Event, error) {
	late := time.NewTimer(patience)
	defer late.Stop()
	for seen := 0; ; {
		v.mu.Lock()
		events, changed, done := v.events, v.changed, v.done
		v.mu.Unlock()
		for ; seen < len(events); seen++ {
			if match(events[seen]) {
				return events[seen], nil
			}
		}
		if done {
			return Event{}, fmt.Errorf("the connection of %s ended with %d after %v", v.User, v.Code(), events)
		}
		select {
		case <-changed:
		case <-late.C:
			return Event{}, fmt.Errorf("%s on node %s waited %v and got only %v", v.User, v.Node.Name, patience, events)
		}
	}
}

// Want waits until the frame number n (from 0, hello included) has come and compares it as JSON.
func (v *Visitor) Want(n int, want string) {
	v.c.T.Helper()
	count := -1
	e, err := v.Await(Patience, func(Event) bool { count++; return count == n })
	if err != nil {
		v.c.T.Fatalf("waiting for %s: %v", want, err)
	}
	if !SameJSON(v.c.T, e.String(), want) {
		v.c.T.Errorf("frame %d of %s is\n%s\nwant\n%s", n, v.User, e, want)
	}
}

// Count is the number of frames so far.
func (v *Visitor) Count() int { return len(v.Events()) }

// Open tells whether the websocket lives.
func (v *Visitor) Open() bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	return !v.done
}

// Code is the close code once it has ended.
func (v *Visitor) Code() int {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.code
}

// Ended is closed when the websocket has ended.
func (v *Visitor) Ended() <-chan struct{} { return v.ended }

// Send sends a text frame.
func (v *Visitor) Send(text string) error {
	v.writing.Lock()
	defer v.writing.Unlock()
	return v.conn.WriteMessage(websocket.TextMessage, []byte(text))
}

// Leave closes the connection and waits for its end.
func (v *Visitor) Leave() {
	if v.conn == nil {
		return
	}
	_ = v.conn.Close()
	<-v.ended
}
