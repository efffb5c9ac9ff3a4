package load

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"strconv"
	"time"
)

// apiConn calls the backend API over one keep-alive connection, without net/http, to leave the CPU to the server.
type apiConn struct {
	conn   net.Conn
	reader *bufio.Reader
	out    []byte
}

func dialAPI(address string) (*apiConn, error) {
	conn, err := net.DialTimeout("tcp", address, 10*time.Second)
	if err != nil {
		return nil, err
	}
	return &apiConn{conn: conn, reader: bufio.NewReader(conn)}, nil
}

// call sends a request and waits for its 204. A body of nil is none.
func (c *apiConn) call(method, path string, body []byte) error {
	c.out = append(c.out[:0], method...)
	c.out = append(append(append(c.out, ' '), path...), " HTTP/1.1\r\nHost: bench\r\n"...)
	if body != nil {
		c.out = append(c.out, "Content-Type: application/json\r\n"...)
	}
	c.out = strconv.AppendInt(append(c.out, "Content-Length: "...), int64(len(body)), 10)
	c.out = append(append(c.out, "\r\n\r\n"...), body...)
	_ = c.conn.SetDeadline(time.Now().Add(30 * time.Second))
	if _, err := c.conn.Write(c.out); err != nil {
		return err
	}
	return readNoContent(c.reader)
}

// readNoContent reads the head of a 204, which has no body.
func readNoContent(r *bufio.Reader) error {
	status, err := r.ReadSlice('\n')
	if err != nil {
		return err
	}
	if !bytes.HasPrefix(status, []byte("HTTP/1.1 204")) {
		text := string(status)
		rest, _ := io.ReadAll(io.LimitReader(r, int64(r.Buffered())))
		return fmt.Errorf("answered %q %q", text, rest)
	}
	for {
		line, err := r.ReadSlice('\n')
		if err != nil {
			return err
		}
		if len(line) <= 2 {
			return nil
		}
	}
}

// apiConns are shared by more clients than there are connections.
type apiConns chan *apiConn

func dialAPIs(address string, n int) (apiConns, error) {
	pool := make(apiConns, n)
	for range n {
		c, err := dialAPI(address)
		if err != nil {
			pool.close()
			return nil, err
		}
		pool <- c
	}
	return pool, nil
}

func (p apiConns) call(method, path string, body []byte) error {
	c := <-p
	defer func() { p <- c }()
	return c.call(method, path, body)
}

// close ends all that are not in use.
func (p apiConns) close() {
	for {
		select {
		case c := <-p:
			_ = c.conn.Close()
		default:
			return
		}
	}
}
