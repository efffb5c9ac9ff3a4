// Package ws is the websocket layer: it tells handshakes from other requests, takes connections over, reads messages and
// control frames, and sends through bounded outboxes. It is the only importer of gorilla/websocket.
//
// # Life of a connection
//
// Classify looks at the request. Take hijacks it before it is authorized and starts the reader, which keeps what the
// client sends too early and tells by Context when it leaves. Upgrade puts the 101 in front of the outbox, Send appends
// frames, Release lets all of it go in one write. Serve hands messages to the caller. Close, the client's Close, an error
// or the clock end it; onClose is called once, last, by the reader.
//
// # One goroutine
//
// The reader (reader.go) is the only goroutine of an idle connection. It was not net/http's, whose stack and buffers are
// freed with the handler, and it does not know the request. It waits in a callback of the socket, without a buffer and
// with a stack of 2 KiB. What a message has grown of it Go does not give back, so after a pong, when the client is idle,
// a fresh goroutine goes on. Frames are parsed by a push parser without I/O (parser.go) instead of gorilla's reader,
// which would wait deep inside a message (docs/adr/0006).
//
// There is no timer for a connection: the group's clock (clock.go) is one heap of 16 bytes each, with one timer. Read
// deadlines are never set, but in the past, to wake the reader.
//
// # Writing
//
// There is no writer goroutine either. Send appends under the connection's lock, and the first frame of an empty outbox
// puts the connection into the group's queue (queue.go). A few flushers, started when the queue becomes non-empty and
// gone when it is empty, take everything that waits in one outbox after the other and write it with one system call that
// does not wait: small frames copied together into the flusher's buffer, a big one behind them by writev. Frames are
// strings, made once and shared by all outboxes.
//
// What the network does not take goes on in a goroutine of its own (drain.go), with a deadline for each write, until the
// outbox is empty. Only then is a client slow: the bounds count what the network has refused. When a sender is merely
// faster than the flushers and the outbox is full, it writes itself.
//
// Who has something to tell that can be summed up sends it with Offer. When the outbox is more than half full that is
// refused, and the sender makes a Draft (draft.go) of it: a frame that stands in the outbox once, may still be changed by
// Amend, and is made by the writer. The frames of others are shared and never changed.
//
// The flushers are what fan-out costs, so the variants were measured (BenchmarkFanout: processor time of the server for
// each delivery of 128 bytes, 64 publishers over HTTP, two processors; a bare program with a writer goroutine for each
// connection beside it):
//
//	                              100 subscribers    1,000            5,000
//	bare                           310 - 400 ns    450 ns           420 ns
//	a goroutine for each flush     280 ns          3,300 ns         -
//	flushers that start at once    585 ns (4 frames a write)  190 ns   -
//	flushers that yield first      210 - 300 ns (25)  130 - 160 ns (50)  130 - 150 ns (220)
//	only one of them               215 ns          140 ns           150 ns
//
// Yielding first (runtime.Gosched) puts the flusher behind everybody who is about to send more; without load it runs at
// once all the same. There are as many as processors, so that a loaded machine uses all of them.
//
// # Closing
//
// Queued frames leave first, then the Close frame; then the client's is waited for, within CloseTimeout, and TCP is
// closed. After bytes that make no sense there is no Close to wait for: the stream is ended (shutdown) and the client's
// end awaited, because closing while it still sends would reset the connection and take our Close frame with it.
//
// # Locks
//
// Conn.mu, then the queue's, the clock's or the life's lock, which are innermost. No I/O happens under any of them, and
// no callback but those of drafts, which compute and take no lock. Callers may hold their own locks while they Send; when the outbox is full, Send may then write once
// without waiting.
package ws
