// Package load makes the load of a benchmark and counts what comes back. It runs in worker processes, so that its CPU is never
// counted for the server.
package load

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"sync"
	"sync/atomic"

	"github.com/swindon-go/swindon/integration/bench/bare"
	"github.com/swindon-go/swindon/integration/bench/wsclient"
)

// Subprotocol is what swindon's clients offer.
const Subprotocol = "v1.swindon-lattice+json"

// connectors is how many connections are opened at the same time.
const connectors = 64

// Target says where a load generator connects to.
type Target struct {
	URL     string // ws://HOST:PORT/PATH
	API     string // HOST:PORT of the backend API; empty for a bare program, which neither greets nor needs a subscription
	Topic   string // the topic to subscribe to, with slashes
	Sharing int    // connections per topic; 0 means that all share one
	Topics  int    // topics below Topic to which each connection subscribes; 0 means Topic itself
}

// Subscribers are open connections that count what they get.
type Subscribers struct {
	conns []*subscriber
}

type subscriber struct {
	conn   *wsclient.Conn
	frames atomic.Int64
	gone   atomic.Bool
}

// Subscribe opens n connections and returns when all are subscribed.
func Subscribe(target Target, n int) (*Subscribers, error) {
	s := &Subscribers{conns: make([]*subscriber, n)}
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: connectors, DialContext: (&net.Dialer{}).DialContext}}
	defer client.CloseIdleConnections()
	var (
		wait  sync.WaitGroup
		next  atomic.Int64
		first atomic.Pointer[error]
	)
	for range connectors {
		wait.Go(func() {
			for first.Load() == nil {
				i := int(next.Add(1)) - 1
				if i >= n {
					return
				}
				conn, err := open(target, i, client)
				if err != nil {
					first.CompareAndSwap(nil, &err)
					return
				}
				s.conns[i] = &subscriber{conn: conn}
			}
		})
	}
	wait.Wait()
	if err := first.Load(); err != nil {
		return nil, *err
	}
	for _, each := range s.conns {
		go each.read()
	}
	return s, nil
}

// open connects, and at swindon waits for the greeting and subscribes.
func open(target Target, number int, client *http.Client) (*wsclient.Conn, error) {
	const buffer = 4096
	if target.API == "" {
		return wsclient.Dial(target.URL, "", buffer)
	}
	conn, id, err := Greet(target.URL, buffer)
	if err != nil || target.Topic == "" {
		return conn, err
	}
	if target.Sharing > 0 {
		return conn, subscribe(client, target.API, id, target.Topic+"/"+strconv.Itoa(number/target.Sharing))
	}
	if target.Topics == 0 {
		return conn, subscribe(client, target.API, id, target.Topic)
	}
	for i := range target.Topics {
		if err := subscribe(client, target.API, id, target.Topic+"/"+strconv.Itoa(i)); err != nil {
			return nil, err
		}
	}
	return conn, nil
}

func subscribe(client *http.Client, api, id, topic string) error {
	address := url.URL{Scheme: "http", Host: api, Path: "/v1/connection/" + id + "/subscriptions/" + topic}
	req, err := http.NewRequest(http.MethodPut, address.String(), nil)
	if err != nil {
		return err
	}
	resp, err := client.Do(req)
	if err != nil {
		return fmt.Errorf("subscribing: %w", err)
	}
	_ = resp.Body.Close()
	if resp.StatusCode != http.StatusNoContent {
		return fmt.Errorf("subscribing answered %s", resp.Status)
	}
	return nil
}

// Greet connects to swindon and reads the hello frame; it returns the connection id that the bench backends put into it.
func Greet(address string, buffer int) (*wsclient.Conn, string, error) {
	conn, err := wsclient.Dial(address, Subprotocol, buffer)
	if err != nil {
		return nil, "", err
	}
	_, payload, err := conn.Next()
	if err != nil {
		return nil, "", fmt.Errorf("waiting for hello: %w", err)
	}
	var frame [3]json.RawMessage
	var hello bare.Hello
	if err := json.Unmarshal(payload, &frame); err != nil {
		return nil, "", fmt.Errorf("reading %q: %w", payload, err)
	}
	if err := json.Unmarshal(frame[2], &hello); err != nil || hello.ConnectionID == "" || string(frame[0]) != `"hello"` {
		return nil, "", fmt.Errorf("not a hello with a connection id: %q", payload)
	}
	return conn, hello.ConnectionID, nil
}

// read counts text frames until the connection ends.
func (s *subscriber) read() {
	defer s.gone.Store(true)
	for {
		opcode, payload, err := s.conn.Next()
		if err != nil {
			return
		}
		switch opcode {
		case wsclient.Text:
			s.frames.Add(1)
		case wsclient.Ping:
			if _, err := s.conn.Write(wsclient.AppendFrame(nil, wsclient.Pong, payload)); err != nil {
				return
			}
		case wsclient.Close:
			return
		}
	}
}

// Count is what was received so far, and how many connections are lost.
func (s *Subscribers) Count() Count {
	var c Count
	for _, each := range s.conns {
		c.Frames += each.frames.Load()
		if each.gone.Load() {
			c.Lost++
		}
	}
	return c
}

// Count is the state of a load generator.
type Count struct {
	Frames int64 // received messages, or finished calls
	Lost   int   // connections that the server has closed, or calls that failed
}
