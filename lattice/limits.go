package lattice

import "fmt"

// Limits bound the lattices of one session pool; an update beyond them is answered 400 and nothing of it is applied
// (decision D22). The tags are read by internal/config.
type Limits struct {
	// MaxKeysPerNamespace bounds the shared keys of one namespace.
	MaxKeysPerNamespace int `config:"max-keys-per-namespace,min=1,max=4294967296,ours"`
	// MaxKeysPerUser bounds the keys that one user sees in one namespace.
	MaxKeysPerUser int `config:"max-keys-per-user,min=1,max=4294967296,ours"`
	// MaxValueSize bounds one value, in bytes of its JSON form, without the version of a register.
	MaxValueSize int64 `config:"max-value-size,min=1,max=2147483648,size,ours"`
	// MaxSetSize bounds the number of elements in one set.
	MaxSetSize int `config:"max-set-size,min=1,max=4294967296,ours"`
}

// DefaultLimits has every default.
func DefaultLimits() Limits {
	return Limits{MaxKeysPerNamespace: 100_000, MaxKeysPerUser: 10_000, MaxValueSize: 64 << 10, MaxSetSize: 10_000}
}

// Check tells whether the state of one key, after a merge, keeps to the limits. The error wraps port.ErrLimit.
func (s *State) Check(lim Limits) error {
	for i := range s.vars {
		if err := s.vars[i].value.check(&lim); err != nil {
			return fmt.Errorf("%.50q: %w", s.vars[i].name.Value(), err)
		}
	}
	return nil
}

// Check tells whether the private keys of one user, after a merge, keep to the limits. Ended keys count as long as they
// are remembered. The error wraps port.ErrLimit.
func (k *Keys) Check(lim Limits) error {
	if err := k.checkLen(&lim); err != nil {
		return err
	}
	for i := range k.list {
		if err := k.list[i].state.Check(lim); err != nil {
			return fmt.Errorf("%.50q: %w", k.list[i].key, err)
		}
	}
	return nil
}

func (k *Keys) checkLen(lim *Limits) error {
	if len(k.list) > lim.MaxKeysPerUser {
		return tooMuch("%d keys, max-keys-per-user is %d", len(k.list), lim.MaxKeysPerUser)
	}
	return nil
}

func (v Value) check(lim *Limits) error {
	if v.ref == nil {
		return nil
	}
	if n := len(v.ref.set); n > lim.MaxSetSize {
		return tooMuch("%d elements, max-set-size is %d", n, lim.MaxSetSize)
	}
	if n := int64(v.ref.size); n > lim.MaxValueSize {
		return tooMuch("%d bytes, max-value-size is %d", n, lim.MaxValueSize)
	}
	return nil
}
