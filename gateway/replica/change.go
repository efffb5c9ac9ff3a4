package replica

import (
	"context"

	"github.com/swindon-go/swindon/internal/names"
)

// form is what a docChange brings.
type form uint8

const (
	// asDelta brings what a commit joined, with generations.
	asDelta form = iota
	// asUpdate brings an update that was not committed: it is applied to whatever generation a copy is in.
	asUpdate
	// asWhole brings the whole document as the store holds it.
	asWhole
	// asTruth is asWhole or asGone, whatever the copy believes: for nodes that were out of touch for long.
	asTruth
	// asGone says that the document was removed, or has expired.
	asGone
	// asUnknown says that the document changed, but not how: it must be loaded.
	asUnknown
)

// docChange is one document's part of an announcement, or of a read of the store.
type docChange struct {
	doc   names.Doc
	form  form
	delta content
	// seq is the number of the commit, prev that of the commit before; both are 0 when it is not committed, and the same
	// when nothing had to be committed: the document had it all at seq.
	seq, prev uint64
}

// await returns when the changes that wait for a load have been delivered, or when ctx ends.
func await(ctx context.Context, held []*heldChange) error {
	for _, h := range held {
		select {
		case <-h.done:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}
