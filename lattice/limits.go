package lattice

// Limits bound the lattices of one session pool; an update beyond them is answered 400 and nothing of it is applied
// (decision D22). The tags are read by internal/config.
type Limits struct {
	// MaxKeysPerNamespace bounds the shared keys of one namespace.
	MaxKeysPerNamespace int `config:"max-keys-per-namespace,min=1,max=4294967296,ours,later"`
	// MaxKeysPerUser bounds the keys that one user sees in one namespace.
	MaxKeysPerUser int `config:"max-keys-per-user,min=1,max=4294967296,ours,later"`
	// MaxValueSize bounds one value, in bytes.
	MaxValueSize int64 `config:"max-value-size,min=1,max=2147483648,size,ours,later"`
	// MaxSetSize bounds the number of elements in one set.
	MaxSetSize int `config:"max-set-size,min=1,max=4294967296,ours,later"`
}

// DefaultLimits has every default.
func DefaultLimits() Limits {
	return Limits{MaxKeysPerNamespace: 100_000, MaxKeysPerUser: 10_000, MaxValueSize: 64 << 10, MaxSetSize: 10_000}
}
