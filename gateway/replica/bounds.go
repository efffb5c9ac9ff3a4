package replica

import "time"

// Bounds that are not configured. Each has its metric: see Metrics.
const (
	// Documents with commits under way or waiting on this node; beyond, updates are refused (503).
	maxSlots = 1 << 16
	// Changes that wait for commits; beyond, updates are refused.
	maxWaiters = 1 << 16
	// Commits of one update that run at the same time.
	maxParallel = 16
	// Views that are loaded from the store at the same time.
	maxLoads = 64
	// Changes that wait for one view's loads; beyond, the view gets its whole state instead.
	maxHeld = 256
	// Sequence numbers that are known above a hole; beyond, the catch-up comes at once.
	maxAbove = 1 << 16
	// Documents, and bytes of them, that are changed in memory only while the store cannot be reached.
	maxDirtyDocs  = 100_000
	maxDirtyBytes = 64 << 20
	// User records that this node wrote and would write back.
	maxOwnRecords = 200_000
	// Shared documents that one round of the sweeper may look at, and remove.
	maxSwept = 100_000

	// A change is given up after this long, when its caller sets no earlier end.
	commitTimeout = 10 * time.Second
	// How much longer than its callers wait a commit goes on, to learn its outcome.
	outcomeGrace = 500 * time.Millisecond
	// One access to the store.
	storeTimeout = time.Second
	// A document that was read gets this long, however long its callers would wait.
	loadTimeout = 5 * time.Second
	// What nobody looks at any more is kept for this long.
	viewGrace = 10 * time.Second
	// A hole in the sequence that is older is read from the store.
	holeAge = time.Second
	// Between two catch-ups.
	catchUpPause = time.Second
	// Between two looks at the store's last sequence.
	pollInterval = 5 * time.Second
	// Marks of what was removed stay for a minute: a node that has been out of touch for longer than this reads
	// everything again.
	markLife = 50 * time.Second
	// Replicas of the store may lag: what was loaded is read again after this.
	secondRead = 750 * time.Millisecond
	secondStep = 100 * time.Millisecond
	// Keys of one read, and changes of one page.
	readBatch  = 1024
	pageLength = 512
	// How long the number of keys of a namespace is believed.
	countLife = time.Minute
	// A copy forgets ended keys this much earlier than those who write the document (lattice.Keys.DropEnded).
	forgetEarlier = time.Minute
)
