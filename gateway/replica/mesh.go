package replica

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/swindon-go/swindon/internal/names"
	"github.com/swindon-go/swindon/internal/port"
	"github.com/swindon-go/swindon/lattice"
)

type mesh struct {
	set    *Set
	loaded atomic.Bool
}

func newMesh(s *Set) *mesh { return &mesh{set: s} }

func (m *mesh) run(ctx context.Context)             {}
func (m *mesh) gather(ctx context.Context, v *View) {}
func (m *mesh) update(context.Context, names.Namespace, *lattice.Delta) error {
	return port.ErrUnavailable
}
func (s *Set) HearLoad(port.Message)                             {}
func (m *mesh) hear(port.Message, names.Namespace, names.UserID) {}
func (m *mesh) suspectAll()                                      {}
func (m *mesh) beat(dst []byte) []byte                           { return dst }
func (m *mesh) hearBeat(names.NodeID, []byte)                    {}
func (m *mesh) changeRecord(context.Context, names.UserID, func([]byte) ([]byte, time.Duration)) ([]byte, error) {
	return nil, port.ErrUnavailable
}
func (m *mesh) loadRecords(us []names.UserID) [][]byte           { return nil }
func (m *mesh) scanRecords(func(names.UserID, []byte))           {}
func (m *mesh) sharedDocs(func(names.Doc, uint64) bool)          {}
func (m *mesh) purgePrivate(context.Context, names.UserID) error { return nil }
func (m *mesh) end(context.Context, names.Doc) error             { return nil }
func (n *namespace) make(names.Doc)                              {}
func (n *namespace) digestShared(names.Key, *sharedCopy)         {}
func (n *namespace) digestPrivate(names.UserID, *privateCopy)    {}
