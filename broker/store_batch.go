package broker

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/swindon-go/swindon/internal/port"
)

// Bounds of one request for several values (ADR-31 of NATS).
const (
	batchKeys  = 1024      // the server takes no more subjects in one request
	batchAsk   = 256 << 10 // bytes of a request; a NATS server takes messages of 1 MiB unless told otherwise
	batchBytes = 4 << 20   // of the values in one answer; the one that passes it is still sent
)

// batch asks for several values. The server answers with a message for each and one that says how many are left.
type batch struct {
	Seq      uint64   `json:"seq,omitempty"`
	Batch    int      `json:"batch,omitempty"`
	MaxBytes int      `json:"max_bytes"`
	Next     string   `json:"next_by_subj,omitempty"`
	Last     []string `json:"multi_last,omitempty"`
}

// errBroken says that messages of an answer are missing.
var errBroken = fmt.Errorf("answer with a hole: %w", port.ErrTimeout)

// errRepeat says that the server met a value that ended or was replaced while it answered: what it has sent is right, but
// not all.
var errRepeat = errors.New("value replaced meanwhile")

// ask sends a batch request to any replica and hands each value to take, in the order of the bucket's sequence. It
// returns how many are left behind the last, on the server.
func (s *Store) ask(ctx context.Context, req batch, take func(port.Change)) (more uint64, err error) {
	if !s.ready.Load() {
		return 0, fmt.Errorf("bucket %s: %w", s.bucket, port.ErrUnavailable)
	}
	req.MaxBytes = batchBytes
	data, err := json.Marshal(req)
	if err != nil {
		return 0, err
	}
	a := answers{s: s, take: take, named: len(req.Last) > 0}
	err = s.calls.gather(ctx, port.Message{Subject: s.bucket.AnyDirectGet(), Data: data}, a.each)
	if errors.Is(err, port.ErrNoResponders) {
		return 0, fmt.Errorf("bucket %s has no replica: %w", s.bucket, port.ErrUnavailable)
	}
	if err == nil {
		err = a.err
	}
	return a.more, err
}

// answers reads the messages that answer one batch request.
type answers struct {
	s     *Store
	take  func(port.Change)
	named bool   // keys were asked for by name
	last  uint64 // sequence of the last value, which the next message names
	more  uint64
	err   error
}

// each reads one message and tells whether more will come.
func (a *answers) each(m port.Message) bool {
	switch status := m.Header.Get("Status"); status {
	case "":
		a.err = a.value(m)
		return a.err == nil
	case "204": // the end of the batch
		a.more, a.err = number(m, "Nats-Num-Pending")
		if a.err == nil {
			a.err = a.chained(m)
		}
	case "404":
		// None exists. With names the server has another text for it than for a value that is gone meanwhile.
		if a.named && m.Header.Get("Description") != "No Results" {
			a.err = errRepeat
		}
	default:
		a.err = fmt.Errorf("status %s %s: %w", status, m.Header.Get("Description"), port.ErrUnavailable)
	}
	return false
}

func (a *answers) value(m port.Message) error {
	if err := a.chained(m); err != nil {
		return err
	}
	seq, err := number(m, "Nats-Sequence")
	if err != nil {
		return err
	}
	key, ok := a.s.bucket.KeyOf(m.Header.Get("Nats-Subject"))
	if !ok {
		return fmt.Errorf("subject %q: %w", m.Header.Get("Nats-Subject"), port.ErrUnavailable)
	}
	a.last = seq
	e := entry(nats.Header(m.Header), m.Data, seq)
	if !a.named {
		e.Written, _ = time.Parse(time.RFC3339Nano, m.Header.Get(nats.JSTimeStamp)) // zero: the server does not tell
	}
	a.take(port.Change{Key: key, Entry: e})
	return nil
}

// chained tells whether nothing is missing between the last value and m: each message names the one before it.
func (a *answers) chained(m port.Message) error {
	if before, err := number(m, "Nats-Last-Sequence"); err != nil || before != a.last {
		return errBroken
	}
	return nil
}

func number(m port.Message, header string) (uint64, error) {
	n, err := strconv.ParseUint(m.Header.Get(header), 10, 64)
	if err != nil {
		return 0, fmt.Errorf("header %s: %w: %w", header, port.ErrUnavailable, err)
	}
	return n, nil
}
