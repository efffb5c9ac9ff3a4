package port

// Entry is what a store holds under a key.
type Entry struct {
	// Value is nil when there is none: the key was never written, or has been deleted or has expired.
	Value []byte
	// Revision is what a compare-and-swap must expect: 0 when the key was never written, and also without a Value it
	// may be the revision of the deletion.
	Revision uint64
}
