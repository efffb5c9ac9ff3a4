// Package ident makes the ids of requests and of nodes.
//
// An id is 32 characters of the URL-safe base64 alphabet over 24 bytes: 6 bytes of big-endian Unix milliseconds, 12
// random bytes fixed per generator, 6 bytes of a big-endian counter that starts at a random value (protocol §11.1,
// configuration §10). Ids of one process sort roughly by time; no two are equal.
package ident

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/binary"
	"sync/atomic"
	"time"
)

// Len is the length of an id in characters.
const Len = 32

// Generator makes ids. All methods may be called concurrently.
type Generator struct {
	fixed   [12]byte
	counter atomic.Uint64
	now     func() time.Time
}

// New returns a generator with its own random part; now is its clock.
func New(now func() time.Time) *Generator {
	g := &Generator{now: now}
	var start [8]byte
	// crypto/rand.Read never fails since Go 1.24.
	_, _ = rand.Read(g.fixed[:])
	_, _ = rand.Read(start[:])
	g.counter.Store(binary.BigEndian.Uint64(start[:]))
	return g
}

// Next returns a new id.
func (g *Generator) Next() string {
	var raw [24]byte
	var n [8]byte
	binary.BigEndian.PutUint64(n[:], uint64(g.now().UnixMilli()))
	copy(raw[:6], n[2:])
	copy(raw[6:18], g.fixed[:])
	binary.BigEndian.PutUint64(n[:], g.counter.Add(1))
	copy(raw[18:], n[2:])
	var out [Len]byte
	base64.RawURLEncoding.Encode(out[:], raw[:])
	return string(out[:])
}
