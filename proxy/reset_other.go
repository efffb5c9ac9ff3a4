//go:build !unix

package proxy

// isReset cannot tell on this system.
func isReset(error) bool { return false }
