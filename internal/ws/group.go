package ws

import (
	"runtime"
	"sync"
	"sync/atomic"
	"time"
)

// Group is what connections share so that an idle one costs no more than its reader: the flushers that write outboxes
// to the network, the clock for pings, and the buffers. It runs goroutines only while there is something to write and
// needs no closing. Its methods may be called from any goroutine.
type Group struct {
	flushers queue
	clock    clock

	readBuffers  sync.Pool // *readBuffer
	writeBuffers sync.Pool // *writeBuffer
	flusherPool  sync.Pool // *flusher
	messages     sync.Pool // *[]byte, at most maxKept long
	batches      sync.Pool // *batch

	hurry atomic.Int64 // see Hurry; 0: none

	mu   sync.Mutex // protects last
	last *Options
}

// share returns a pointer to options equal to o; connections with the same options share one.
func (g *Group) share(o Options) *Options {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.last == nil || *g.last != o {
		g.last = &o
	}
	return g.last
}

// Hurry bounds by d the close handshakes that begin from now on, whatever CloseTimeout says: a process that stops does
// not wait long for clients that do not answer.
func (g *Group) Hurry(d time.Duration) { g.hurry.Store(int64(d)) }

// closeTimeout is the time that a close handshake may take, given the connection's own bound.
func (g *Group) closeTimeout(own time.Duration) time.Duration {
	if d := time.Duration(g.hurry.Load()); d > 0 {
		return min(own, d)
	}
	return own
}

// NewGroup returns a Group with as many flushers as there are processors.
func NewGroup() *Group {
	g := &Group{}
	g.flushers.max = runtime.GOMAXPROCS(0)
	g.clock.start = time.Now()
	return g
}

// readBufferSize is what one read takes at most. Connections have no buffer of their own: a reader takes one when bytes
// have arrived and gives it back before it waits again.
const readBufferSize = 16 << 10

type readBuffer [readBufferSize]byte

func (g *Group) getReadBuffer() *readBuffer {
	if b, ok := g.readBuffers.Get().(*readBuffer); ok {
		return b
	}
	return new(readBuffer)
}

func (g *Group) putReadBuffer(b *readBuffer) { g.readBuffers.Put(b) }

// writeBufferSize is what one write of gathered small frames holds at most.
const writeBufferSize = 64 << 10

type writeBuffer [writeBufferSize]byte

func (g *Group) getWriteBuffer() *writeBuffer {
	if b, ok := g.writeBuffers.Get().(*writeBuffer); ok {
		return b
	}
	return new(writeBuffer)
}

func (g *Group) putWriteBuffer(b *writeBuffer) { g.writeBuffers.Put(b) }

// batch is the list of frames that wait in one outbox. Only outboxes with frames in them have one.
type batch struct {
	frames []Frame
	drafts []*Draft // those of the frames that are not made yet
}

// keptFrames bounds the capacity of the lists that are kept for reuse.
const keptFrames = 256

func (g *Group) getBatch() *batch {
	if b, ok := g.batches.Get().(*batch); ok {
		return b
	}
	return &batch{frames: make([]Frame, 0, 4)}
}

func (g *Group) putBatch(b *batch) {
	if b == nil || cap(b.frames) > keptFrames {
		return
	}
	clear(b.frames)
	b.frames = b.frames[:0]
	b.forgetDrafts()
	g.batches.Put(b)
}
