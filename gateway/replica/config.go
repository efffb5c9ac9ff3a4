package replica

import "time"

// Config says how the lattice documents of a session pool live. The tags are read by internal/config.
type Config struct {
	// LatticeDegraded says what happens to an update while the store cannot be reached: refuse answers 503, accept
	// merges it in memory and commits it later (decision D23).
	LatticeDegraded Degraded `config:"lattice-degraded,enum=refuse|accept,ours"`
	// PrivateGrace is how long a user's private values stay after the last connection anywhere has gone, or since they
	// were written, if that was later. After a reload the new value counts, within a second or so, also for those who
	// have gone already.
	PrivateGrace time.Duration `config:"private-grace,ours"`
	// SharedGrace is how long a shared key stays after the last viewer anywhere has gone.
	SharedGrace time.Duration `config:"shared-grace,ours"`
}

// Degraded says what happens to an update while the store cannot be reached.
type Degraded string

// The two ways to go on without the store.
const (
	DegradedRefuse Degraded = "refuse"
	DegradedAccept Degraded = "accept"
)

// DefaultConfig has every default.
func DefaultConfig() Config {
	return Config{LatticeDegraded: DegradedRefuse, PrivateGrace: time.Minute, SharedGrace: 10 * time.Minute}
}
