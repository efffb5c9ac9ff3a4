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

// gateway speaks Swindon's HTTP API for backends.
type gateway struct {
	base   string // "http://127.0.0.1:8081"
	client *http.Client
}

func newGateway(base string) *gateway {
	return &gateway{base: strings.TrimRight(base, "/"), client: &http.Client{Timeout: 10 * time.Second}}
}

// subscribe makes a connection hear a topic, given in its path form "rooms/lobby".
func (g *gateway) subscribe(ctx context.Context, conn, topic string) error {
	return g.do(ctx, http.MethodPut, "/v1/connection/"+conn+"/subscriptions/"+topic, nil)
}

func (g *gateway) unsubscribe(ctx context.Context, conn, topic string) error {
	return g.do(ctx, http.MethodDelete, "/v1/connection/"+conn+"/subscriptions/"+topic, nil)
}

// publish sends a message to everybody who hears the topic, on every node.
func (g *gateway) publish(ctx context.Context, topic string, message any) error {
	body, err := json.Marshal(message)
	if err != nil {
		return err
	}
	return g.do(ctx, http.MethodPost, "/v1/publish/"+topic, body)
}

func (g *gateway) do(ctx context.Context, method, path string, body []byte) error {
	req, err := http.NewRequestWithContext(ctx, method, g.base+path, bytes.NewReader(body))
	if err != nil {
		return err
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := g.client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	_, _ = io.Copy(io.Discard, resp.Body)
	if resp.StatusCode != http.StatusNoContent {
		return fmt.Errorf("%s %s: %s", method, path, resp.Status)
	}
	return nil
}
