package load

import (
	"bytes"
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"

	"github.com/swindon-go/swindon/integration/bench/wsclient"
)

// Calling says how calls are made.
type Calling struct {
	URL    string
	Bare   bool   // messages to an echo instead of calls
	Method string // the method of a call
	Conns  int
	Depth  int // calls in flight per connection; the next one leaves, in a write of its own, when a reply has come
	Size   int // bytes of the argument (or of the echoed message)
}

// Callers are open connections that call all the time.
type Callers struct {
	calls  atomic.Int64
	failed atomic.Int64
	conns  []*wsclient.Conn
	frame  func(number int64) []byte
}

// Call opens the connections and starts calling.
func Call(c Calling) (*Callers, error) {
	callers := &Callers{frame: c.frame(), conns: make([]*wsclient.Conn, c.Conns)}
	var wait sync.WaitGroup
	errs := make(chan error, c.Conns)
	for i := range callers.conns {
		wait.Go(func() {
			conn, err := c.open()
			callers.conns[i] = conn
			if err != nil {
				errs <- err
			}
		})
	}
	wait.Wait()
	select {
	case err := <-errs:
		return nil, err
	default:
	}
	for _, conn := range callers.conns {
		replies := make(chan struct{}, c.Depth)
		for first := range c.Depth {
			go callers.call(conn, int64(first), int64(c.Depth), replies)
		}
		go callers.read(conn, replies)
	}
	return callers, nil
}

func (c Calling) open() (*wsclient.Conn, error) {
	const buffer = 16 << 10
	if c.Bare {
		return wsclient.Dial(c.URL, "", buffer)
	}
	conn, _, err := Greet(c.URL, buffer)
	return conn, err
}

// frame makes the function that makes the frame of a call.
func (c Calling) frame() func(int64) []byte {
	if c.Bare {
		echo := wsclient.AppendFrame(nil, wsclient.Text, Message(c.Size))
		return func(int64) []byte { return echo }
	}
	head, tail := `["`+c.Method+`",{"request_id":`, `},[`+string(Message(c.Size))+`],{}]`
	return func(number int64) []byte {
		return wsclient.AppendFrame(nil, wsclient.Text, []byte(head+strconv.FormatInt(number, 10)+tail))
	}
}

// call is one of the callers of a connection: it sends a call, waits until one of the connection's calls is answered and sends
// the next. They are goroutines of their own, as in a real program, so that their writes are not made in a row for a whole
// packet of replies, which the server would then read at once.
func (c *Callers) call(conn *wsclient.Conn, number, step int64, replies <-chan struct{}) {
	for ; ; number += step {
		if _, err := conn.Write(c.frame(number)); err != nil {
			c.failed.Add(1)
			return
		}
		if _, ok := <-replies; !ok {
			return
		}
	}
}

// read counts replies until the connection ends.
func (c *Callers) read(conn *wsclient.Conn, replies chan<- struct{}) {
	defer close(replies)
	for {
		opcode, payload, err := conn.Next()
		if err != nil || opcode == wsclient.Close {
			c.failed.Add(1)
			return
		}
		if opcode != wsclient.Text {
			continue
		}
		if bytes.HasPrefix(payload, []byte(`["error"`)) || bytes.HasPrefix(payload, []byte(`["fatal_error"`)) {
			c.failed.Add(1)
		}
		c.calls.Add(1)
		replies <- struct{}{}
	}
}

// Count is the number of finished and of failed calls.
func (c *Callers) Count() Count {
	return Count{Frames: c.calls.Load(), Lost: int(c.failed.Load())}
}

// String describes the calls for a report.
func (c Calling) String() string {
	return fmt.Sprintf("%d connections × %d in flight, %d bytes", c.Conns, c.Depth, c.Size)
}
