package broker

import (
	"bytes"
	"errors"
	"io"
	"strconv"
	"time"
	"unsafe"

	"github.com/swindon-go/swindon/internal/port"
)

// Bounds of what a sieve holds back, in bytes.
const (
	sieveLine = 8 << 10 // a line; NATS servers have 4 KiB for the arguments of a message
	sieveSize = 8 << 10 // the body of a message that may be handed over
	sieveRoom = 4 << 10 // that must be left in a reader's buffer behind what is held back
)

// sieve takes messages for intakes out of what is read from NATS before the client library sees it, and hands them to quick
// where they lie (docs/adr/0021). To the library it is as if they had never come. It does so only where that is easy: for
// messages without headers at the beginning of what was read, as long as the intake has nothing else to do. Everything
// else is passed on as it is, so the order is that of arrival, and so is all from the first byte on that is not the
// client protocol of NATS (a TLS handshake, for one).
//
// It serves one connection, whose reader is its only user.
type sieve struct {
	tap *tap
	// rest is the beginning of an operation, held back until there is more of it.
	rest []byte
	// skip is how many bytes are still to come of a body whose beginning was passed on; inLine says so of a line.
	skip   int
	inLine bool
	// off: everything is passed on.
	off bool
}

// read is Read of net.Conn; from is that of the connection.
func (s *sieve) read(from func(p []byte) (int, error), p []byte) (int, error) {
	for {
		if len(s.rest) > 0 && len(p) < len(s.rest)+sieveRoom {
			s.off = true // not the library's usual buffer
		}
		if s.off {
			if len(s.rest) == 0 {
				return from(p)
			}
			n := copy(p, s.rest)
			s.rest = s.rest[n:]
			return n, nil
		}
		held := copy(p, s.rest)
		s.rest = s.rest[:0]
		n, err := from(p[held:])
		n += held
		if err != nil {
			s.off = !errors.Is(err, io.EOF) // who goes on after a timeout, say, gets what has not been looked at here
			return n, err
		}
		if kept := s.sift(p[:n]); len(kept) > 0 {
			return copy(p, kept), nil
		}
	}
}

// sift hands over what it may and returns what is to be passed on, which is part of b. What is incomplete at its end it
// may keep for the next time.
func (s *sieve) sift(b []byte) []byte {
	first, at := 0, s.finish(b) // b[first:at] is passed on
	lead := at == 0             // nothing is passed on yet
	turn := turn{tap: s.tap}
	defer turn.end()
	for at < len(b) && !s.inLine {
		op := parseOperation(b[at:])
		switch op.kind {
		case opBad:
			s.off = true
			return b[first:]
		case opPart:
			s.rest = append(s.rest, b[at:]...)
			return b[first:at]
		case opLine:
			s.inLine = true
			return b[first:]
		}
		end := at + op.head + op.body
		if lead && op.kind == opMessage && op.body <= sieveSize && turn.wants(op.subject) {
			if end > len(b) {
				s.rest = append(s.rest, b[at:]...)
				return b[first:at]
			}
			if string(b[end-len("\r\n"):end]) != "\r\n" {
				s.off = true // the library says what is wrong
				return b[first:]
			}
			if turn.take(op.subject, op.reply, b[at+op.head:end-len("\r\n")]) {
				first, at = end, end
				continue
			}
		}
		lead = false
		if end > len(b) {
			s.skip = end - len(b)
			end = len(b)
		}
		at = end
	}
	return b[first:]
}

// finish returns where in b the operation ends whose beginning was passed on before.
func (s *sieve) finish(b []byte) int {
	if s.inLine {
		n := bytes.IndexByte(b, '\n') + 1
		if n == 0 {
			return len(b)
		}
		s.inLine = false
		return n
	}
	n := min(s.skip, len(b))
	s.skip -= n
	return n
}

// turn is the part of one sift in which messages are handed to one intake.
type turn struct {
	tap   *tap
	in    *intake // whose polling is held
	open  bool    // it takes messages
	begun time.Time
	count int
}

// wants tells whether a message of a subject can be handed over now.
func (t *turn) wants(subject []byte) bool {
	if t.in == nil || !t.in.hears(subject) {
		t.end()
		if t.in = t.tap.intakeOf(subject); t.in == nil {
			return false
		}
		t.in.polling.Lock()
		t.open = t.in.ready()
		if t.begun.IsZero() {
			t.begun = time.Now()
		}
	}
	if t.count++; t.open && t.count%16 == 0 { // to look at the clock costs as much as a message
		t.open = time.Since(t.begun) < pollTime
	}
	return t.open
}

// take hands a message over; false: it was refused, and what comes behind it is not asked about.
func (t *turn) take(subject, reply, data []byte) bool {
	t.open = t.in.quick(port.Message{Subject: text(subject), Reply: text(reply), Data: data})
	t.in.refused = !t.open
	return t.open
}

func (t *turn) end() {
	if t.in != nil {
		t.in.polling.Unlock()
		t.in = nil
	}
}

// text is a string for as long as b does not change.
func text(b []byte) string {
	return unsafe.String(unsafe.SliceData(b), len(b)) //nolint:gosec // quick keeps nothing of a message
}

// Kinds of what may stand at the beginning of what was read.
const (
	opBad     = iota // not the protocol
	opPart           // too little to tell
	opLine           // the beginning of a line that may be long
	opMessage        // a message without headers
	opOther
)

// operation is one of the client protocol's, as a server sends it.
type operation struct {
	kind           int
	subject, reply []byte // of a message
	head, body     int    // bytes of the line and of what follows it, line ends included
}

// parseOperation reads the operation at the beginning of b, which is not empty.
func parseOperation(b []byte) operation {
	end := bytes.IndexByte(b, '\n')
	switch b[0] {
	case 'M', 'H':
		switch {
		case end >= 0 && end <= sieveLine:
			return parseMessage(b[:end+1])
		case end < 0 && len(b) <= sieveLine:
			return operation{kind: opPart}
		}
	case 'P', 'I', '+', '-': // PING, PONG, INFO, +OK, -ERR
		if end < 0 {
			return operation{kind: opLine}
		}
		return operation{kind: opOther, head: end + 1}
	}
	return operation{}
}

// parseMessage reads "MSG subject id [reply] size" or "HMSG subject id [reply] size-of-headers size", with its line end.
func parseMessage(line []byte) operation {
	kind, rest, ok := bytes.Cut(bytes.TrimSuffix(line[:len(line)-1], []byte{'\r'}), []byte{' '})
	plain := string(kind) == "MSG"
	if !ok || !plain && string(kind) != "HMSG" {
		return operation{}
	}
	last := bytes.LastIndexByte(rest, ' ')
	size, err := strconv.Atoi(text(rest[last+1:]))
	if err != nil || size < 0 || last < 0 || size > 1<<30 {
		return operation{}
	}
	op := operation{kind: opOther, head: len(line), body: size + len("\r\n")}
	if !plain {
		return op
	}
	subject, rest, _ := bytes.Cut(rest[:last], []byte{' '})
	id, reply, _ := bytes.Cut(rest, []byte{' '})
	if len(subject) > 0 && len(id) > 0 && bytes.IndexByte(reply, ' ') < 0 {
		op.kind, op.subject, op.reply = opMessage, subject, reply
	}
	return op
}
