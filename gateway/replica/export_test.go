package replica

// Kept tells how many copies of documents this node has, and how many places in the queue of ends are taken.
func (s *Set) Kept() (copies, ends int) {
	for _, n := range s.all() {
		n.mu.Lock()
		copies += len(n.shared) + len(n.private)
		n.mu.Unlock()
	}
	s.ends.mu.Lock()
	defer s.ends.mu.Unlock()
	return copies, len(s.ends.list)
}
