package load

import (
	"encoding/json"
	"strconv"
	"sync"
	"sync/atomic"

	"github.com/swindon-go/swindon/integration/bench/wsclient"
)

// Calling says how calls are made.
type Calling struct {
	URL    string
	Bare   bool   // the server is an echo: there is no hello, and the reply is the call
	Method string // the method of a call
	Conns  int
	Depth  int // callers per connection; each sends its next call when its reply has come
	Size   int // bytes of the argument
}

// Callers are open connections that call all the time.
type Callers struct {
	calls  atomic.Int64
	failed atomic.Int64
}

// caller is one connection. Its callers are goroutines of their own that wait for the reply with their request id, as in a
// real client, which reads the JSON of every frame: a generator that answered blindly would press replies of a whole packet
// into one packet of new calls, and no server would ever see single ones.
type caller struct {
	*Callers
	conn    *wsclient.Conn
	replies []chan struct{} // by caller: request ids are caller + turn × depth
	head    string
	tail    string
}

// Call opens the connections and starts calling.
func Call(c Calling) (*Callers, error) {
	all := &Callers{}
	conns := make([]*wsclient.Conn, c.Conns)
	errs := make(chan error, c.Conns)
	var wait sync.WaitGroup
	for i := range conns {
		wait.Go(func() {
			var err error
			if conns[i], err = c.open(); err != nil {
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
	for _, conn := range conns {
		each := &caller{
			Callers: all, conn: conn, replies: make([]chan struct{}, c.Depth),
			head: `["` + c.Method + `",{"request_id":`, tail: `},[` + string(Message(c.Size)) + `],{}]`,
		}
		for i := range each.replies {
			each.replies[i] = make(chan struct{}, 1)
		}
		go each.read()
		for i := range each.replies {
			go each.call(i)
		}
	}
	return all, nil
}

func (c Calling) open() (*wsclient.Conn, error) {
	const buffer = 16 << 10
	if c.Bare {
		return wsclient.Dial(c.URL, "", buffer)
	}
	conn, _, err := Greet(c.URL, buffer)
	return conn, err
}

// call sends one call after the other.
func (c *caller) call(index int) {
	var payload, frame []byte
	for number := index; ; number += len(c.replies) {
		payload = append(strconv.AppendInt(append(payload[:0], c.head...), int64(number), 10), c.tail...)
		frame = wsclient.AppendFrame(frame[:0], wsclient.Text, payload)
		if _, err := c.conn.Write(frame); err != nil {
			c.failed.Add(1)
			return
		}
		if _, ok := <-c.replies[index]; !ok {
			return
		}
	}
}

// read gives every reply to its caller until the connection ends.
func (c *caller) read() {
	defer func() {
		for _, replies := range c.replies {
			close(replies)
		}
	}()
	for {
		opcode, payload, err := c.conn.Next()
		if err != nil || opcode == wsclient.Close {
			c.failed.Add(1)
			return
		}
		if opcode != wsclient.Text {
			continue
		}
		var reply []json.RawMessage
		var meta struct {
			RequestID int    `json:"request_id"`
			ErrorKind string `json:"error_kind"`
		}
		if json.Unmarshal(payload, &reply) != nil || len(reply) < 3 || json.Unmarshal(reply[1], &meta) != nil || meta.ErrorKind != "" {
			c.failed.Add(1)
		}
		c.calls.Add(1)
		c.replies[meta.RequestID%len(c.replies)] <- struct{}{}
	}
}

// Count is the number of finished and of failed calls.
func (c *Callers) Count() Count {
	return Count{Frames: c.calls.Load(), Lost: int(c.failed.Load())}
}
