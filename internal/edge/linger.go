package edge

import (
	"net/http"
	"time"
)

const (
	// lingerTime is how long a client may go on sending a body that nobody wants.
	lingerTime = 10 * time.Second
	// lingerPause is how long it may pause meanwhile.
	lingerPause = time.Second
	// smallBody is up to which length net/http itself discards the rest of a body.
	smallBody = 256 << 10
)

// linger sends the answer and then discards, for a while, what the client still sends of a large body, for example one
// that was answered 413. If the connection were closed at once, what is on its way would reset it, and a client that
// writes before it reads would see that instead of the answer.
func linger(c *client, r *http.Request) {
	if c.conn == nil || r.ContentLength >= 0 && r.ContentLength < smallBody || r.Header["Expect"] != nil {
		return
	}
	c.w.Flush()
	var buf [4096]byte
	for end := time.Now().Add(lingerTime); ; {
		now := time.Now()
		if now.After(end) {
			return
		}
		_ = c.conn.SetReadDeadline(now.Add(lingerPause))
		if _, err := r.Body.Read(buf[:]); err != nil {
			return
		}
	}
}
