package presence

import (
	"context"
	"log/slog"
	"time"

	"github.com/swindon-go/swindon/internal/ident"
	"github.com/swindon-go/swindon/internal/names"
)

// Records is where the records are; *replica.Set is one. All methods may be called concurrently.
type Records interface {
	// ChangeRecord replaces a user's record by what f makes of it, atomically (in a mesh: joined), and announces it. f is
	// pure and may run several times; old is nil when there is none; a nil new leaves the record alone. ttl is how long
	// the store keeps it, 0 for ever. It returns the record after. After an error it may have been changed.
	ChangeRecord(ctx context.Context, u names.UserID, f func(old []byte) (new []byte, ttl time.Duration)) ([]byte, error)
	// LoadRecords returns the records of users, aligned with us, nil where there is none. They may be a little old.
	LoadRecords(ctx context.Context, us []names.UserID) ([][]byte, error)
	// ScanRecords calls f with every record, one at a time.
	ScanRecords(ctx context.Context, f func(u names.UserID, value []byte)) error
	// PurgePrivate deletes a user's private documents that were written earlier than before, unless they change
	// meanwhile (decision D21). kept is when the youngest that stays was written; zero: none stays.
	PurgePrivate(ctx context.Context, u names.UserID, before time.Time) (kept time.Time, err error)
	// ScanPrivate calls page with the users of all private documents, some hundreds at a time; a user may come again in
	// another page. An error of page ends it and is returned.
	ScanPrivate(ctx context.Context, page func(us []names.UserID) error) error
}

// Deps is what a Tracker needs. Every field is required. No function is called under a lock, but Config and Now,
// which must not block; all but Changed are called concurrently.
type Deps struct {
	Node    names.NodeID
	Records Records
	// Live are the other nodes that have been heard of within three beats. It is read once a second.
	Live func() []names.NodeID
	// Dead tells that a node has not been heard of for 10 s, or never. Nothing it says is acted on while this node may
	// have been deaf itself.
	Dead func(names.NodeID) bool
	// Ask asks all other live nodes that hold connections of the user for the latest deadline they know and whether they
	// have connections. An error says that not all have answered; what was answered counts all the same.
	Ask func(ctx context.Context, u names.UserID) (until int64, conns int, err error)
	// Local is the same for this node. A connection counts before Joined is called, and no longer when Parted is.
	Local func(u names.UserID) (until int64, conns int)
	// Notify sends session_inactive to the handlers; nil: answered with a status below 500.
	Notify func(ctx context.Context, u names.UserID, requestID string) error
	// Changed tells that the status of a followed user has changed, anywhere. It is called one at a time with
	// increasing versions for each user, must not block and must not call the Tracker.
	Changed func(u names.UserID, s Status)
	// Config is the configuration of this moment.
	Config func() Config
	// IDs makes the request ids of notices.
	IDs     *ident.Generator
	Log     *slog.Logger
	Metrics *Metrics
	Now     func() time.Time
}

// Config is the part of a session pool's configuration that matters here.
type Config struct {
	// PrivateGrace is how long private documents stay when nobody is there.
	PrivateGrace time.Duration
	// Notices says that there are handlers of session_inactive.
	Notices bool
}

// Bounds and times. None is configurable.
const (
	// joinWait bounds what a new connection waits for its record to be written.
	joinWait = time.Second
	// storeWait bounds one access to the store, and one question to the other nodes.
	storeWait = 2 * time.Second
	// maxWorkers bounds the users that are worked on at a time.
	maxWorkers = 64
	// A tick looks at the nodes, and starts at most one scan.
	tickInterval = time.Second
	// scanInterval is the time after which all records are read again although nothing is known to be amiss.
	scanInterval = 10 * time.Minute
	// scanWait bounds one scan.
	scanWait = time.Minute
	// fallbackMillis is how long after a deadline a node that is not the owner acts.
	fallbackMillis = 3000
	// askMillis is how long after a deadline the answers of live nodes are waited for, which is until one that is dead
	// has fallen out of the live ones.
	askMillis = 5000
	// deafMillis is how long after a failure no node is believed to be dead: three beats.
	deafMillis = 3000
	// startMillis is the same after the start: nobody can have been heard of before.
	startMillis = 10_000
	// retryFirst and retryLast are the pauses after a failed access to the store, in milliseconds.
	retryFirst = 250
	retryLast  = 5000
	// maxTouches bounds the absent users with a touch that is not written yet.
	maxTouches = 100_000
	// loadBatch is the number of records read at a time.
	loadBatch = 512
	// createWorkers bounds the unknown users of one question whose records are made at a time.
	createWorkers = 16
)
