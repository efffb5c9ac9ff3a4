package broker

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/swindon-go/swindon/internal/names"
)

const (
	maxValue        = 8 << 20         // bytes of one document
	bucketPause     = 5 * time.Second // between tries to find the buckets of an external cluster
	bucketWait      = 5 * time.Second // for each try
	clusterReplicas = 3               // of a bucket on a cluster, unless nats.replicas says otherwise
	nodesBytes      = 1 << 20         // of the embedded server's bucket of nodes
)

// stores keeps the buckets: with the embedded server they are made at the start, with an external one as soon as it can
// be reached.
type stores struct {
	b      *Broker
	prefix names.Prefix

	mu  sync.Mutex // guards the following
	all map[names.Bucket]*Store
}

func newStores(b *Broker, prefix names.Prefix) *stores {
	s := &stores{b: b, prefix: prefix, all: map[names.Bucket]*Store{}}
	if b.deps.Mesh.Enabled() && b.server != nil {
		return s // a mesh has no store
	}
	s.add(prefix.NodesBucket())
	for _, p := range b.deps.Pools {
		s.add(prefix.Lattices(p.Name))
	}
	return s
}

func (s *stores) add(bucket names.Bucket) *Store {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.all[bucket] == nil {
		s.all[bucket] = &Store{bucket: bucket, calls: s.b.calls}
	}
	return s.all[bucket]
}

// missing lists the stores that are not ready, or have another bound than they should.
func (s *stores) missing() []*Store {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []*Store
	for _, st := range s.all {
		if !st.ready.Load() || st.bound.Load() != s.bound(st.bucket) {
			out = append(out, st)
		}
	}
	slices.SortFunc(out, func(a, b *Store) int { return strings.Compare(string(a.bucket), string(b.bucket)) })
	return out
}

// bound is how large a bucket may become, in bytes; -1: no bound of ours. Those of session pools share what the embedded
// server may store. A server's own bound would not do: with that nothing can even be deleted when it is reached. The
// caller holds mu.
func (s *stores) bound(bucket names.Bucket) int64 {
	total := s.b.cfg.MaxStore
	switch {
	case s.b.server == nil || total == 0:
		return -1
	case bucket == s.prefix.NodesBucket():
		return nodesBytes
	}
	return max(1, total/int64(max(1, len(s.all)-1)))
}

// Store returns the bucket of a session pool's documents; nil: this node is part of a mesh, which has none. A bucket of
// a pool that was not there at the start is made now, in the background.
func (b *Broker) Store(pool names.Pool) *Store { return b.stores.get(b.stores.prefix.Lattices(pool)) }

// NodesStore returns the bucket in which nodes show that they live; nil in a mesh.
func (b *Broker) NodesStore() *Store { return b.stores.get(b.stores.prefix.NodesBucket()) }

func (s *stores) get(bucket names.Bucket) *Store {
	if s.b.deps.Mesh.Enabled() && s.b.server != nil {
		return nil
	}
	st := s.add(bucket)
	if !st.ready.Load() {
		s.wake()
	}
	return st
}

// wake has the keeper look for what is missing.
func (s *stores) wake() {
	select {
	case s.b.lookForBuckets <- struct{}{}:
	default:
	}
}

// keep finds or makes buckets until the broker ends.
func (s *stores) keep(ctx context.Context) {
	said := map[names.Bucket]string{} // an error is logged when it changes, not each time
	for {
		var again <-chan time.Time
		if s.b.calls.up.Load() {
			for _, st := range s.missing() {
				err := s.ensureOne(ctx, st)
				if err == nil {
					delete(said, st.bucket)
					continue
				}
				if ctx.Err() != nil {
					return
				}
				if said[st.bucket] != err.Error() {
					said[st.bucket] = err.Error()
					s.b.log.Error("bucket cannot be used", "bucket", string(st.bucket), "err", err)
				}
				again = time.After(bucketPause)
			}
		}
		select {
		case <-s.b.lookForBuckets:
		case <-again:
		case <-ctx.Done():
			return
		}
	}
}

// ensure finds or makes all buckets once; with the embedded server this must succeed.
func (s *stores) ensure(ctx context.Context) error {
	for _, st := range s.missing() {
		if err := s.ensureOne(ctx, st); err != nil {
			return fmt.Errorf("bucket %s: %w", st.bucket, err)
		}
	}
	return nil
}

func (s *stores) ensureOne(ctx context.Context, st *Store) error {
	if s.b.server != nil {
		// A bucket that is being made while its server stops would not stop with it: Close waits for this.
		ctx = context.WithoutCancel(ctx)
	}
	ctx, cancel := context.WithTimeout(ctx, bucketWait)
	defer cancel()
	epoch := s.b.calls.epoch()
	nc := s.b.calls.conn.Load()
	js, err := jetstream.New(nc)
	if err != nil {
		return err
	}
	want := s.config(nc, st.bucket)
	s.mu.Lock()
	want.MaxBytes = s.bound(st.bucket)
	s.mu.Unlock()
	var stream jetstream.Stream
	if s.b.server != nil {
		stream, err = js.CreateOrUpdateStream(ctx, want)
	} else {
		stream, err = s.check(ctx, js, want)
	}
	if err != nil {
		return err
	}
	cluster := ""
	if c := stream.CachedInfo().Cluster; c != nil {
		cluster = c.Name
	}
	st.found(cluster, epoch)
	st.bound.Store(want.MaxBytes)
	st.ready.Store(true)
	return nil
}

// check compares the bucket of an external cluster with what it should be, and makes it when it is absent and we may.
func (s *stores) check(ctx context.Context, js jetstream.JetStream, want jetstream.StreamConfig) (jetstream.Stream, error) {
	stream, err := js.Stream(ctx, want.Name)
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		if !s.b.cfg.CreateBuckets {
			return nil, errors.New("it does not exist, and nats.create-buckets is false")
		}
		return js.CreateStream(ctx, want)
	}
	if err != nil {
		return nil, err
	}
	return stream, mismatch(stream.CachedInfo().Config, want, s.b.cfg.Replicas)
}

// mismatch tells what of a bucket's configuration is not as it must be. Bounds on its size are the operator's.
func mismatch(have, want jetstream.StreamConfig, replicas int) error {
	var wrong []string
	for _, f := range []struct {
		name string
		same bool
	}{
		{"subjects", slices.Equal(have.Subjects, want.Subjects)},
		{"max-msgs-per-subject", have.MaxMsgsPerSubject == want.MaxMsgsPerSubject},
		{"storage", have.Storage == want.Storage},
		{"discard", have.Discard == want.Discard},
		{"max-age", have.MaxAge == want.MaxAge},
		{"allow-direct", have.AllowDirect},
		{"allow-rollup", have.AllowRollup},
		{"allow-msg-ttl", have.AllowMsgTTL},
		{"subject-delete-marker-ttl", have.SubjectDeleteMarkerTTL == want.SubjectDeleteMarkerTTL},
		{"replicas", replicas == 0 || have.Replicas == replicas},
	} {
		if !f.same {
			wrong = append(wrong, f.name)
		}
	}
	if len(wrong) > 0 {
		return fmt.Errorf("it exists with another configuration: %s", strings.Join(wrong, ", "))
	}
	return nil
}

// config is the one configuration of our buckets: that of a NATS key-value bucket with history 1, files and ends of
// keys. Beyond the bound on the store a write is refused; nothing is ever thrown out silently.
func (s *stores) config(nc *nats.Conn, bucket names.Bucket) jetstream.StreamConfig {
	replicas := s.b.cfg.Replicas
	switch {
	case s.b.server != nil:
		replicas = 1
	case replicas == 0 && nc.ConnectedClusterName() != "":
		replicas = clusterReplicas
	case replicas == 0:
		replicas = 1
	}
	return jetstream.StreamConfig{
		Name: bucket.Stream(), Subjects: []string{bucket.Keys()}, Replicas: replicas,
		Storage: jetstream.FileStorage, Discard: jetstream.DiscardNew,
		MaxMsgsPerSubject: 1, MaxMsgs: -1, MaxConsumers: -1, MaxMsgSize: maxValue,
		AllowDirect: true, AllowRollup: true, DenyDelete: true,
		AllowMsgTTL: true, SubjectDeleteMarkerTTL: markerTTL, Duplicates: 2 * time.Minute,
	}
}
