// Command http1 is the prototype of ADR 13: what a reverse proxy of our own, without net/http, would cost at least.
//
// One goroutine per client connection reads a request head, takes an idle upstream connection, passes the head on, reads
// the response and writes head and body in one call. It does nothing else: no routing, no limits, no deadlines, no
// chunks, no hop-by-hop rules. It is for measuring only.
//
//	http1 -backend 127.0.0.1:9000 -listen 127.0.0.1:9001
//	http1 -serve -listen 127.0.0.1:9000      the backend: net/http, 1 KiB
package main

import (
	"bytes"
	"errors"
	"flag"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strconv"
)

func main() {
	listen := flag.String("listen", "127.0.0.1:9001", "address to serve on")
	backend := flag.String("backend", "127.0.0.1:9000", "address to pass requests to")
	serve := flag.Bool("serve", false, "be the backend")
	flag.Parse()
	if err := run(*listen, *backend, *serve); err != nil {
		slog.New(slog.NewTextHandler(os.Stderr, nil)).Error("The prototype ended", "err", err)
		os.Exit(1)
	}
}

func run(listen, backend string, serve bool) error {
	l, err := net.Listen("tcp", listen)
	if err != nil {
		return err
	}
	if serve {
		body := bytes.Repeat([]byte("x"), 1024)
		return http.Serve(l, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(body) }))
	}
	idle := make(chan net.Conn, 1024)
	for {
		c, err := l.Accept()
		if err != nil {
			return err
		}
		go pass(c, idle, backend)
	}
}

// pass serves one client connection.
func pass(client net.Conn, idle chan net.Conn, backend string) {
	defer client.Close()
	request, response := make([]byte, 4096), make([]byte, 8192)
	for {
		n, _, err := head(client, request)
		if err != nil {
			return
		}
		var up net.Conn
		select {
		case up = <-idle:
		default:
			if up, err = net.Dial("tcp", backend); err != nil {
				return
			}
		}
		if _, err := up.Write(request[:n]); err != nil {
			return
		}
		have, end, err := head(up, response)
		if err != nil {
			return
		}
		total := end + length(response[:end])
		for have < total && total <= len(response) {
			more, err := up.Read(response[have:])
			if err != nil {
				return
			}
			have += more
		}
		idle <- up
		if _, err := client.Write(response[:have]); err != nil {
			return
		}
	}
}

var errLong = errors.New("head too long")

// head reads until the empty line; it returns how many bytes were read and where the head ends.
func head(r io.Reader, buf []byte) (n, end int, err error) {
	for n < len(buf) {
		more, err := r.Read(buf[n:])
		n += more
		if i := bytes.Index(buf[:n], []byte("\r\n\r\n")); i >= 0 {
			return n, i + 4, nil
		}
		if err != nil {
			return n, 0, err
		}
	}
	return n, 0, errLong
}

func length(head []byte) int {
	_, rest, _ := bytes.Cut(head, []byte("Content-Length: "))
	digits, _, _ := bytes.Cut(rest, []byte("\r\n"))
	n, _ := strconv.Atoi(string(digits))
	return n
}
