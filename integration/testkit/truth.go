package testkit

import (
	"encoding/json"
	"fmt"
	"maps"
	"sync"
)

// Truth is the join of all updates that were acknowledged, kept by a model that shares nothing with the gateway. It may be used from
// any goroutine.
type Truth struct {
	mu     sync.Mutex // guards spaces
	spaces map[string]*truthSpace
}

type truthSpace struct {
	shared  Keys
	private map[string]Keys
}

// NewTruth knows nothing.
func NewTruth() *Truth { return &Truth{spaces: make(map[string]*truthSpace)} }

// Add joins the body of an update.
func (t *Truth) Add(namespace, body string) error {
	var delta struct {
		Shared  map[string]json.RawMessage            `json:"shared"`
		Private map[string]map[string]json.RawMessage `json:"private"`
	}
	if err := json.Unmarshal([]byte(body), &delta); err != nil {
		return err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	s := t.spaces[namespace]
	if s == nil {
		s = &truthSpace{shared: make(Keys), private: make(map[string]Keys)}
		t.spaces[namespace] = s
	}
	if err := s.shared.add(delta.Shared); err != nil {
		return err
	}
	for user, keys := range delta.Private {
		if s.private[user] == nil {
			s.private[user] = make(Keys)
		}
		if err := s.private[user].add(keys); err != nil {
			return err
		}
	}
	return nil
}

func (k Keys) add(raw map[string]json.RawMessage) error {
	for key, text := range raw {
		vars, err := ParseVars(text)
		if err != nil {
			return fmt.Errorf("key %s: %w", key, err)
		}
		known := k.Vars(key)
		for name, value := range vars {
			known.merge(name, value)
		}
	}
	return nil
}

// Visible is what a user must see: the keys of the private area, their shared variables on top.
func (t *Truth) Visible(namespace, user string) Keys {
	t.mu.Lock()
	defer t.mu.Unlock()
	visible := make(Keys)
	s := t.spaces[namespace]
	if s == nil {
		return visible
	}
	for key, vars := range s.private[user] {
		maps.Copy(visible.Vars(key), vars)
		maps.Copy(visible.Vars(key), s.shared[key])
	}
	return visible
}
