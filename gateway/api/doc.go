// Package api is the HTTP API that backends call: subscriptions, publishes, lattices and presence of one session pool
// (protocol §6).
//
// It looks at the raw request target and never at a cleaned or decoded path, so it must not stand behind a mux that
// redirects.
package api
