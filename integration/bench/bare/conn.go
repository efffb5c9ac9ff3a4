package bare

import (
	"encoding/binary"
	"net/http"
	"sync"

	"github.com/gorilla/websocket"
)

// queueLength bounds what waits for one connection: as many frames as swindon's outbox takes by default. A full queue makes
// the sender wait: a baseline that dropped messages would do less work than what it is compared with.
const queueLength = 4096

// writeSize is how much is gathered into one write at most.
const writeSize = 64 << 10

// conn is a websocket with its queue.
type conn struct {
	*websocket.Conn
	mu     sync.Mutex // guards queue and closed
	room   sync.Cond  // the queue is no longer full
	queue  []*message
	closed bool
	wake   chan struct{} // one token when the queue is not empty, closed at the end
}

// accept upgrades and starts the writer.
func accept(w http.ResponseWriter, r *http.Request) (*conn, error) {
	upgrader := websocket.Upgrader{CheckOrigin: func(*http.Request) bool { return true }}
	ws, err := upgrader.Upgrade(w, r, nil)
	if err != nil {
		return nil, err
	}
	c := &conn{Conn: ws, wake: make(chan struct{}, 1)}
	c.room.L = &c.mu
	go c.write()
	return c, nil
}

// send queues a frame; it reports false when the connection is gone.
func (c *conn) send(m *message) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	for len(c.queue) == queueLength && !c.closed {
		c.room.Wait()
	}
	if c.closed {
		return false
	}
	c.queue = append(c.queue, m)
	if len(c.queue) == 1 {
		c.wake <- struct{}{} // the writer takes the token before it takes the queue, so there is room for it
	}
	return true
}

// end lets the writer and all waiting senders go.
func (c *conn) end() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.closed {
		c.closed = true
		close(c.wake)
		c.room.Broadcast()
	}
	_ = c.Close()
}

// write takes all queued frames at once and writes them with as few system calls as they need.
func (c *conn) write() {
	var taken []*message
	var buf []byte // grows to what is queued at once; an idle connection has none
	for range c.wake {
		c.mu.Lock()
		taken, c.queue = c.queue, taken[:0]
		c.room.Broadcast()
		c.mu.Unlock()
		buf = buf[:0]
		for i, m := range taken {
			taken[i] = nil
			buf = append(buf, m.frame...)
			if len(buf) < writeSize && i < len(taken)-1 {
				continue
			}
			if _, err := c.NetConn().Write(buf); err != nil {
				c.end()
				return
			}
			buf = buf[:0]
		}
	}
}

// message is one unmasked text frame, made once for any number of receivers.
type message struct{ frame []byte }

func newMessage(payload []byte) *message {
	b := make([]byte, 0, len(payload)+10)
	b = append(b, 0x80|websocket.TextMessage)
	switch n := len(payload); {
	case n < 126:
		b = append(b, byte(n))
	case n < 1<<16:
		b = append(b, 126)
		b = binary.BigEndian.AppendUint16(b, uint16(n))
	default:
		b = append(b, 127)
		b = binary.BigEndian.AppendUint64(b, uint64(n))
	}
	return &message{append(b, payload...)}
}
