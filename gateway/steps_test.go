package gateway_test

import (
	"context"
	"encoding/hex"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"time"

	"github.com/swindon-go/swindon/internal/port"
	"github.com/swindon-go/swindon/internal/unit"
)

// send makes a client send something.
func (s *stage) send(c *client, what string) {
	s.t.Helper()
	word, rest, _ := strings.Cut(what, " ")
	rest = strings.NewReplacer(`\xff`, "\xff").Replace(rest)
	switch word {
	case "bin":
		c.send(0x82, []byte(rest))
	case "ping":
		c.send(0x89, []byte(rest))
	case "part":
		c.send(0x01, []byte(rest))
	case "rest":
		c.send(0x80, []byte(rest))
	case "text":
		c.send(0x81, []byte(rest))
	case "big":
		n, _ := strconv.Atoi(rest)
		c.send(0x81, []byte(`["`+strings.Repeat("x", n)+`"]`))
	case "deep":
		n, _ := strconv.Atoi(rest)
		c.send(0x81, []byte(strings.Repeat("[", n)+strings.Repeat("]", n)))
	case "close":
		code, reason, _ := strings.Cut(rest, " ")
		n, _ := strconv.Atoi(code)
		c.send(0x88, append([]byte{byte(n >> 8), byte(n)}, reason...))
	case "raw":
		b, err := hex.DecodeString(rest)
		if err != nil {
			s.fatalf("%v", err)
		}
		_, _ = c.conn.Write(b)
	case "drop":
		_ = c.conn.Close()
	default:
		c.send(0x81, []byte(what))
	}
}

// request compares the next request of the gateway.
func (s *stage) request(want string) {
	s.t.Helper()
	parts := strings.Split(want, " | ")
	path := strings.TrimSpace(parts[0])
	q := s.backends.take(path)
	if q == nil {
		if q = s.backends.next(); q != nil {
			s.fatalf("a backend got %s", q.path)
		}
		s.fatalf("no backend was asked")
	}
	s.last = q
	for _, p := range parts[1:] {
		name, value, _ := strings.Cut(strings.TrimSpace(p), ":")
		value = strings.TrimSpace(value)
		got := q.fields[name]
		switch name {
		case "Id":
			got = q.id
		case "Dest":
			got = q.dest
		case "Body":
			got = q.body
			if !equal(value, got) {
				s.fatalf("the body is\n  %s", got)
			}
			continue
		case "Length":
			got = strconv.Itoa(len(q.body))
		}
		if got != value {
			s.fatalf("%s is %q", name, got)
		}
	}
	if len(q.id) == 32 {
		s.vars["id"] = q.id
	}
}

// respond answers the request that was shown last.
func (s *stage) respond(what string) {
	s.t.Helper()
	word, rest, _ := strings.Cut(what, " ")
	switch word {
	case "fail":
		err, ok := failures[rest]
		if !ok {
			s.fatalf("unknown failure")
		}
		s.last.reply <- scripted{err: err}
		return
	case "code":
		code, body, _ := strings.Cut(rest, " ")
		s.last.reply <- scripted{reply: port.Reply{Header: http.Header{port.HeaderErrorCode: {code}}, Body: []byte(body)}}
		return
	}
	status, err := strconv.Atoi(word)
	if err != nil {
		s.fatalf("%v", err)
	}
	h := http.Header{"Content-Type": {"application/json"}}
	if t, ok := strings.CutPrefix(rest, "type="); ok {
		t, rest, _ = strings.Cut(t, " ")
		h.Set("Content-Type", t)
		if t == "none" {
			h.Del("Content-Type")
		}
	}
	s.last.reply <- scripted{reply: port.Reply{Status: status, Header: h, Body: []byte(rest)}}
}

// api calls the HTTP API of a node and compares status and warning.
func (s *stage) api(nd *node, what string) {
	s.t.Helper()
	i := strings.LastIndex(what, "=")
	if i < 0 {
		s.fatalf("what is expected?")
	}
	parts := strings.Split(what[:i], " | ")
	method, target, _ := strings.Cut(strings.TrimSpace(parts[0]), " ")
	target, body, _ := strings.Cut(target, " ")
	r := httptest.NewRequest(http.MethodGet, "/", strings.NewReader(body))
	r.Method, r.RequestURI = method, target
	r.Header.Set("Content-Type", "application/json")
	for _, p := range parts[1:] {
		name, value, _ := strings.Cut(strings.TrimSpace(p), ":")
		if value = strings.TrimSpace(value); value == "" {
			r.Header.Del(name)
			continue
		}
		r.Header.Set(name, value)
	}
	w := httptest.NewRecorder()
	nd.api.ServeHTTP(w, r)
	got := strings.TrimSpace(fmt.Sprintf("%d %s", w.Code, w.Header().Get("X-Swindon-Warning")))
	if w.Code == http.StatusServiceUnavailable {
		got += " retry-after " + w.Header().Get("Retry-After")
	}
	if b := strings.TrimSpace(w.Body.String()); b != "" {
		got += " " + b
	} else if w.Code >= 400 && w.Header().Get("Content-Length") != "0" {
		got += " without Content-Length"
	}
	if want := strings.TrimSpace(what[i+1:]); got != want {
		s.fatalf("the API answered %s", got)
	}
}

// nats makes a backend speak over NATS.
func (s *stage) nats(what string) {
	s.t.Helper()
	subject, body, _ := strings.Cut(what, " ")
	if subject == "serve" {
		if _, err := s.backends.serveNATS(s.outside, body); err != nil {
			s.fatalf("%v", err)
		}
		return
	}
	m := port.Message{Subject: subject, Data: []byte(body)}
	i := strings.LastIndex(body, " = ")
	if i < 0 {
		if err := s.outside.Publish(m); err != nil {
			s.fatalf("%v", err)
		}
		return
	}
	m.Data = []byte(strings.TrimSpace(body[:i]))
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	reply, err := s.outside.Request(ctx, port.LaneOrdered, m)
	got := reply.Header.Get(port.HeaderErrorCode)
	switch {
	case err != nil:
		got = err.Error()
	case got == "":
		got = "ok"
	}
	if want := strings.TrimSpace(body[i+3:]); got != want {
		s.fatalf("the answer is %s", got)
	}
}

func (s *stage) drain(nd *node, limit string) {
	s.t.Helper()
	d, err := unit.ParseDuration(limit)
	if err != nil {
		s.fatalf("%v", err)
	}
	go func() {
		ctx, cancel := context.WithTimeout(context.Background(), d)
		defer cancel()
		nd.pool.Drain(ctx)
	}()
}

func (s *stage) stats(nd *node, what string) {
	s.t.Helper()
	name, want, _ := strings.Cut(what, "=")
	for _, st := range nd.metrics.Stats() {
		if st.Name == strings.TrimSpace(name) {
			if got := strconv.FormatInt(st.Value, 10); got != strings.TrimSpace(want) {
				s.fatalf("it is %s", got)
			}
			return
		}
	}
	s.fatalf("no such number")
}
