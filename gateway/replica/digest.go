package replica

import (
	"github.com/swindon-go/swindon/internal/names"
)

// In a mesh each namespace keeps the sum of its documents' digests, each mixed with its name: two nodes with the same
// sum have the same documents, but for a chance of one in 2^64. It does not depend on any order.

func (n *namespace) digestShared(k names.Key, p *sharedCopy) {
	if n.set.mesh == nil {
		return
	}
	var d uint64
	if p.known {
		d = mix('s', string(k), p.state.Digest())
	}
	n.sum += d - p.digest
	p.digest = d
}

func (n *namespace) digestPrivate(u names.UserID, p *privateCopy) {
	if n.set.mesh == nil {
		return
	}
	var d uint64
	if p.keys.Len() > 0 {
		d = mix('p', string(u), p.keys.Digest())
	}
	if d != p.digest {
		p.written = n.set.nowMs()
	}
	n.sum += d - p.digest
	p.digest = d
}

// mix joins a document's name with its digest; FNV-1a and a final spread.
func mix(kind byte, name string, digest uint64) uint64 {
	const prime = 1099511628211
	h := (uint64(14695981039346656037) ^ uint64(kind)) * prime
	for i := range len(name) {
		h = (h ^ uint64(name[i])) * prime
	}
	for range 8 {
		h = (h ^ digest&0xff) * prime
		digest >>= 8
	}
	h = (h ^ h>>33) * 0xff51afd7ed558ccd
	return h ^ h>>33
}
