package proxy

import (
	"net"
	"slices"
)

// send writes the request from its n-th byte on, or its head and starts writing the body.
func (x *exchange) send(n int) (err error) {
	c, rest := x.conn, x.out[n:]
	switch {
	case x.stream != nil, len(x.body) > wholeBody:
		if n, err = c.Write(rest); err != nil {
			break
		}
		x.sent = sentPart
		x.sending = make(chan error, 1)
		go x.sendBody(c, x.sending)
		return nil
	case len(x.body) > 0:
		parts := net.Buffers{rest, x.body}
		var m int64
		m, err = parts.WriteTo(c.Conn)
		n = int(m)
	case len(rest) > 0:
		n, err = c.Write(rest)
	}
	x.wrote(n)
	if err == nil {
		x.sent = sentAll
	}
	return err
}

// placeHost makes the address of the backend the Host, where nothing else is.
func (x *exchange) placeHost(host string) {
	if x.hostAt > 0 {
		x.out = slices.Replace(x.out, x.hostAt, x.hostAt+x.hostLen, []byte(host)...)
		x.hostLen = len(host)
	}
}

// wrote notes that n bytes more have been written.
func (x *exchange) wrote(n int) {
	switch {
	case n >= len(x.out)+len(x.body) && x.stream == nil:
		x.sent = sentAll
	case n > 0:
		x.sent = sentPart
	}
}

// sendBody writes the body beside the reading of the response.
func (x *exchange) sendBody(c *conn, done chan<- error) {
	if x.stream != nil {
		done <- x.stream.writeTo(c, x.set.requestTimeout)
		return
	}
	_, err := c.Write(x.body)
	done <- err
}

// join ends the watch over the context and the writing of the body. wanted: nobody has given up the request.
// written: the request has been written to its end.
func (x *exchange) join(c *conn) (wanted, written bool) {
	wanted = x.stop == nil || x.stop()
	x.stop = nil
	if x.sending == nil {
		return wanted, x.sent == sentAll
	}
	select {
	case err := <-x.sending:
		if err == nil {
			x.sent = sentAll
		}
	default:
		// The backend has answered, or hung up, without reading everything.
		c.abort()
		if x.stream != nil {
			x.stream.interrupt()
		}
		if err := <-x.sending; err == nil { // it was just through
			x.sent = sentAll
		}
	}
	x.sending = nil
	return wanted, x.sent == sentAll
}
