package replica

import (
	"context"
	"log/slog"
	"time"

	"github.com/swindon-go/swindon/internal/names"
	"github.com/swindon-go/swindon/internal/port"
	"github.com/swindon-go/swindon/lattice"
)

// Bus is the fabric between the nodes, as gateway.Bus describes it.
type Bus interface {
	Up() bool
	Publish(m port.Message) error
	Flush(ctx context.Context) error
	// Epoch changes when another connection takes the place of that of Publish: a Flush says nothing of what was
	// published in another epoch.
	Epoch() uint64
	Request(ctx context.Context, lane port.Lane, m port.Message) (port.Message, error)
	// RequestMany hands every answer to each until it returns false or ctx ends.
	RequestMany(ctx context.Context, lane port.Lane, m port.Message, each func(port.Message) (more bool)) error
	MaxPayload() int64
}

// Store is the bucket of the session pool's documents; package broker has the real one, broker/memory one in memory.
// All methods may be called concurrently. Errors: port.ErrUnavailable (nothing was done), port.ErrTimeout or the
// context's (a write may have been done).
type Store interface {
	// Ready tells whether the bucket is there.
	Ready() bool
	// MayLag tells whether there are replicas that may lag.
	MayLag() bool
	// Get reads from any replica, which may lag behind.
	Get(ctx context.Context, key string) (port.Entry, error)
	// GetLatest reads from the leader: it sees every write that was acknowledged before.
	GetLatest(ctx context.Context, key string) (port.Entry, error)
	// GetMany reads from any replica. The entries are aligned with keys; absent ones are zero.
	GetMany(ctx context.Context, keys []string) ([]port.Entry, error)
	// CompareAndSwap fails with port.ErrRevision, port.ErrTooLarge or port.ErrStoreFull. A ttl over 0 ends the key.
	CompareAndSwap(ctx context.Context, key string, rev uint64, value []byte, ttl time.Duration) (uint64, error)
	// Delete leaves a mark with a revision for a minute.
	Delete(ctx context.Context, key string, rev uint64) (uint64, error)
	// Changes returns the last change of each key that matches filter and changed after a sequence, marks included.
	Changes(ctx context.Context, filter string, after uint64, limit int) (port.Page, error)
	// LastSequence is the number of the last commit of all.
	LastSequence(ctx context.Context) (uint64, error)
}

// Sink hears what concerns others than lattices.
type Sink interface {
	// RecordHeard is told that another node, or a catch-up, changed a user's record; value is nil when it is gone. It
	// is called one at a time and must not block.
	RecordHeard(u names.UserID, value []byte)
	// RecordsLost is told that the store was emptied or restored, so that records must be written back. The Set does so with
	// those that it wrote last, which their reader may have forgotten. It must not block.
	RecordsLost()
}

// Deps is what a Set needs.
type Deps struct {
	Node  names.NodeID
	Space names.Space
	Bus   Bus
	// Store is nil in a mesh.
	Store Store
	// Live names the other nodes that have been heard of within 3 beats.
	Live func() []names.NodeID
	// Met tells, in a mesh, that the other nodes that were up at the start are among the live ones by now, so that the
	// documents are loaded from them and not taken for none; nil: they are.
	Met func() bool
	// Sink may be nil.
	Sink Sink
	// Limits bound the documents; asked anew for each update.
	Limits  func() lattice.Limits
	Log     *slog.Logger
	Metrics *Metrics
	// JoinRecords joins two values of one user's record in a mesh. It must be commutative, associative and idempotent.
	JoinRecords func(a, b []byte) []byte
	// RestoreRecords is what is written back after the store was lost, of what it has by then and of what was known; nil:
	// nothing is. It must not change a value that it has made.
	RestoreRecords func(stored, known []byte) []byte
	// Now is the clock for ends of keys; nil means time.Now.
	Now func() time.Time
}

// Watcher is a client's connection as far as one namespace is concerned.
type Watcher interface {
	// Changed hands over a change of what the user sees. It is called with locks held: queue a frame, nothing else.
	Changed(c *Change)
}

// Change is what changed for a user in one namespace.
type Change struct {
	Namespace names.Namespace
	// Data is a JSON object {key: {variable: value}}. It must not be changed.
	Data []byte
	// Anew are the keys that have become visible, or began a new life, by this change: what was told of them before must not
	// be joined with it.
	Anew []names.Key
	// Whole says that Data is all that the user sees, and no growth.
	Whole bool
	// Memo is the watchers' to keep the frame that they made of it: the same Change goes to all watchers who see the
	// same. It is guarded by the lock under which Changed is called.
	Memo any
}
