package broker

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/swindon-go/swindon/internal/names"
	"github.com/swindon-go/swindon/internal/port"
)

// markerTTL is how long the mark of a deleted key stays.
const markerTTL = time.Minute

// Store is one bucket of keys with compare-and-swap. Get it from Broker.Store. All methods may be called concurrently;
// they fail with port.ErrUnavailable while NATS or the bucket is not there, and with port.ErrTimeout when no answer
// came: then a write may have been done.
type Store struct {
	bucket names.Bucket
	calls  *link
	ready  atomic.Bool  // the bucket exists and is as it should be
	bound  atomic.Int64 // bytes that it was given
	// alone is the epoch of the connection on which it was last found out that the bucket is on a server that is in no
	// cluster, plus one; 0: it is not so.
	alone atomic.Uint64
}

// Ready tells whether the bucket has been found, or made, and is configured as it should be.
func (s *Store) Ready() bool { return s.ready.Load() }

// MayLag tells whether a read that may be answered by any replica can miss a write that was acknowledged before. It
// cannot where there is one server, unless that has a mirror of the bucket, which may answer too and is not known here. What is
// said is up to five seconds old, and not of another connection. It may wait for the client library's lock, while that connects: no
// goroutine that reads from NATS may ask.
func (s *Store) MayLag() bool { return s.alone.Load() != s.calls.epoch()+1 }

// found notes the name of the cluster in which the bucket was found on a connection of an epoch; "": in none.
func (s *Store) found(cluster string, epoch uint64) {
	if cluster != "" {
		s.alone.Store(0)
		return
	}
	s.alone.Store(epoch + 1)
}

// Get returns the last value of a key from any replica, which may lag behind a write that was just acknowledged.
func (s *Store) Get(ctx context.Context, key string) (port.Entry, error) {
	subject, err := s.bucket.DirectGet(key)
	if err != nil {
		return port.Entry{}, err
	}
	m, err := s.request(ctx, port.Message{Subject: subject})
	if err != nil {
		return port.Entry{}, fmt.Errorf("get %s: %w", key, err)
	}
	switch status := m.Header.Get("Status"); status {
	case "":
	case "404":
		return port.Entry{}, nil
	default:
		return port.Entry{}, fmt.Errorf("get %s: status %s %s: %w", key, status, m.Header.Get("Description"), port.ErrUnavailable)
	}
	rev, err := strconv.ParseUint(m.Header.Get("Nats-Sequence"), 10, 64)
	if err != nil {
		return port.Entry{}, fmt.Errorf("get %s: sequence: %w", key, err)
	}
	return entry(nats.Header(m.Header), m.Data, rev), nil
}

// GetLatest is Get from the stream's leader: it sees every write that was acknowledged before. It costs twice as much.
func (s *Store) GetLatest(ctx context.Context, key string) (port.Entry, error) {
	subject, err := s.bucket.Key(key)
	if err != nil {
		return port.Entry{}, err
	}
	ask, err := json.Marshal(map[string]string{"last_by_subj": subject})
	if err != nil {
		return port.Entry{}, err
	}
	m, err := s.request(ctx, port.Message{Subject: s.bucket.LeaderGet(), Data: ask})
	if err != nil {
		return port.Entry{}, fmt.Errorf("get %s: %w", key, err)
	}
	var reply struct {
		Error   *apiError `json:"error"`
		Message struct {
			Seq  uint64 `json:"seq"`
			Hdrs []byte `json:"hdrs"`
			Data []byte `json:"data"`
		} `json:"message"`
	}
	if err := json.Unmarshal(m.Data, &reply); err != nil {
		return port.Entry{}, fmt.Errorf("get %s: %w", key, err)
	}
	if e := reply.Error; e != nil {
		if e.ErrCode == uint16(jetstream.JSErrCodeMessageNotFound) {
			return port.Entry{}, nil
		}
		return port.Entry{}, fmt.Errorf("get %s: %w", key, e)
	}
	var hdr nats.Header
	if len(reply.Message.Hdrs) > 0 {
		if hdr, err = nats.DecodeHeadersMsg(reply.Message.Hdrs); err != nil {
			return port.Entry{}, fmt.Errorf("get %s: headers: %w", key, err)
		}
	}
	return entry(hdr, reply.Message.Data, reply.Message.Seq), nil
}

// entry reads a stored message: marks of deletions and expiries have a revision and no value.
func entry(h nats.Header, data []byte, rev uint64) port.Entry {
	if h.Get("KV-Operation") != "" || h.Get("Nats-Marker-Reason") != "" {
		return port.Entry{Revision: rev}
	}
	if data == nil {
		data = []byte{}
	}
	return port.Entry{Value: data, Revision: rev}
}

// CompareAndSwap writes value when the key's revision is still rev, and returns the new one: the sequence number of
// the write among all of the bucket. With a ttl over 0 the key ends after it (rounded up to seconds); without, it stays,
// also if it had an end before. Errors: port.ErrRevision (somebody else wrote), port.ErrTooLarge, port.ErrStoreFull.
func (s *Store) CompareAndSwap(ctx context.Context, key string, rev uint64, value []byte, ttl time.Duration) (uint64, error) {
	h := port.Header{nats.ExpectedLastSubjSeqHdr: {strconv.FormatUint(rev, 10)}}
	if ttl > 0 {
		h["Nats-TTL"] = []string{seconds(ttl)}
	}
	return s.write(ctx, key, h, value)
}

// Delete removes a key when its revision is still rev. A mark of it stays for a minute, so that who reads the key then
// sees that it is gone, and with what revision.
func (s *Store) Delete(ctx context.Context, key string, rev uint64) (uint64, error) {
	return s.write(ctx, key, port.Header{
		nats.ExpectedLastSubjSeqHdr: {strconv.FormatUint(rev, 10)},
		"KV-Operation":              {"PURGE"},
		"Nats-Rollup":               {"sub"},
		"Nats-TTL":                  {seconds(markerTTL)},
	}, nil)
}

func seconds(d time.Duration) string {
	return strconv.FormatInt(int64((d+time.Second-1)/time.Second), 10) + "s"
}

func (s *Store) write(ctx context.Context, key string, h port.Header, value []byte) (uint64, error) {
	subject, err := s.bucket.Key(key)
	if err != nil {
		return 0, err
	}
	m, err := s.request(ctx, port.Message{Subject: subject, Header: h, Data: value})
	if err != nil {
		return 0, fmt.Errorf("write %s: %w", key, err)
	}
	var ack struct {
		Error *apiError `json:"error"`
		Seq   uint64    `json:"seq"`
	}
	if err := json.Unmarshal(m.Data, &ack); err != nil {
		return 0, fmt.Errorf("write %s: %w", key, err)
	}
	if ack.Error != nil {
		return 0, fmt.Errorf("write %s: %w", key, ack.Error)
	}
	return ack.Seq, nil
}

func (s *Store) request(ctx context.Context, m port.Message) (port.Message, error) {
	if !s.ready.Load() {
		return port.Message{}, fmt.Errorf("bucket %s: %w", s.bucket, port.ErrUnavailable)
	}
	m, err := s.calls.request(ctx, m)
	if errors.Is(err, port.ErrNoResponders) {
		// The stream has no leader at the moment, or JetStream is gone.
		return m, fmt.Errorf("bucket %s has no leader: %w", s.bucket, port.ErrUnavailable)
	}
	return m, err
}

// apiError is how JetStream says no.
type apiError struct {
	Code        int    `json:"code"`
	ErrCode     uint16 `json:"err_code"`
	Description string `json:"description"`
}

func (e *apiError) Error() string { return fmt.Sprintf("jetstream: %s (%d)", e.Description, e.ErrCode) }

// Unwrap gives the error its meaning at the joint.
func (e *apiError) Unwrap() error {
	switch e.ErrCode {
	case 10071, 10164: // wrong last sequence
		return port.ErrRevision
	case 10054: // message size exceeds maximum allowed
		return port.ErrTooLarge
	case 10077, 10047, 10023, 10002, 10028: // a bound on the stream's, the account's or the server's store
		return port.ErrStoreFull
	}
	return port.ErrUnavailable
}
