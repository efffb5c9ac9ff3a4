package port

import "time"

// Entry is what a store holds under a key.
type Entry struct {
	// Value is nil when there is none: the key was never written, or has been deleted or has expired.
	Value []byte
	// Revision is what a compare-and-swap must expect: 0 when the key was never written, and also without a Value it
	// may be the revision of the deletion.
	Revision uint64
	// Written is when the Value, or the mark that it is gone, was written, by the store's clock. Only a Page tells it; elsewhere, and where the
	// store does not know, it is zero.
	Written time.Time
}

// Change is one key with what the store holds under it.
type Change struct {
	Key string
	Entry
}

// Page is a piece of a store's keys, in the order of their last change.
type Page struct {
	Changes []Change
	// More is the number of keys behind the page's last.
	More uint64
}
