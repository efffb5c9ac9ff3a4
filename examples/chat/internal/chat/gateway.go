package chat

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

// How long a request to the gateway's API is repeated while nobody can take it, and the pause between.
const (
	retryFor   = 8 * time.Second
	retryPause = 200 * time.Millisecond
)

// gateway speaks Swindon's HTTP API for backends.
type gateway struct {
	base, host string // "http://127.0.0.1:8081", and the Host header or ""
	client     *http.Client
}

// A refusal is a status of the gateway's API other than success.
type refusal int

func (r refusal) Error() string { return fmt.Sprintf("the gateway answers %d", int(r)) }

func newGateway(base, host string) *gateway {
	return &gateway{base: strings.TrimRight(base, "/"), host: host, client: &http.Client{Timeout: 10 * time.Second}}
}

// subscribe makes a connection hear a topic, given in its path form "rooms/lobby".
func (g *gateway) subscribe(ctx context.Context, conn, topic string) error {
	return g.do(ctx, http.MethodPut, "/v1/connection/"+conn+"/subscriptions/"+topic, nil)
}

// publish sends a message to everybody who hears the topic, on every node.
func (g *gateway) publish(ctx context.Context, topic string, message any) error {
	return g.do(ctx, http.MethodPost, "/v1/publish/"+topic, message)
}

// update joins a delta into a lattice: everybody who sees what grew hears it.
func (g *gateway) update(ctx context.Context, namespace string, d *delta) error {
	return g.do(ctx, http.MethodPost, "/v1/lattice/"+namespace, d)
}

// attach is update; then the connection gets the whole state that its user may see, and every change from then on.
func (g *gateway) attach(ctx context.Context, conn, namespace string, d *delta) error {
	return g.do(ctx, http.MethodPut, "/v1/connection/"+conn+"/lattices/"+namespace, d)
}

// watch makes a connection hear the presence of these users, beside those it watches already.
func (g *gateway) watch(ctx context.Context, conn string, users []string) error {
	return g.do(ctx, http.MethodPut, "/v1/connection/"+conn+"/users", users)
}

// do makes a request. While the gateway is away, or says that it cannot promise anything at the moment, the request is
// repeated: all of them may be done twice (who gets a message twice knows it by its id).
func (g *gateway) do(ctx context.Context, method, path string, body any) error {
	var data []byte
	if body != nil {
		var err error
		if data, err = json.Marshal(body); err != nil {
			return err
		}
	}
	ctx, cancel := context.WithTimeout(ctx, retryFor)
	defer cancel()
	for {
		again, err := g.try(ctx, method, path, data)
		if !again {
			return err
		}
		select {
		case <-time.After(retryPause):
		case <-ctx.Done():
			return err
		}
	}
}

// try makes a request once, and tells whether to repeat it.
func (g *gateway) try(ctx context.Context, method, path string, data []byte) (again bool, err error) {
	req, err := http.NewRequestWithContext(ctx, method, g.base+path, bytes.NewReader(data))
	if err != nil {
		return false, err
	}
	req.Host = g.host
	if data != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := g.client.Do(req)
	if err != nil {
		return true, err
	}
	defer resp.Body.Close()
	_, _ = io.Copy(io.Discard, resp.Body)
	if resp.StatusCode == http.StatusNoContent {
		return false, nil
	}
	again = resp.StatusCode == http.StatusBadGateway || resp.StatusCode == http.StatusServiceUnavailable
	return again, fmt.Errorf("%s %s: %w", method, path, refusal(resp.StatusCode))
}
