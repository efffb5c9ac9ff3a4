package ws

import (
	"encoding/binary"
	"unicode/utf8"
	"unsafe"
)

// Opcode is the kind of a frame (RFC 6455 §5.2).
type Opcode byte

// The opcodes that frames may have.
const (
	opContinuation Opcode = 0x0
	OpText         Opcode = 0x1
	OpBinary       Opcode = 0x2
	OpClose        Opcode = 0x8
	OpPing         Opcode = 0x9
	OpPong         Opcode = 0xA
)

func (op Opcode) control() bool { return op&0x8 != 0 }

const (
	maxControl = 125 // payload of control frames (RFC 6455 §5.5)
	finBit     = 0x80
	maskBit    = 0x80
	maxHeader  = 10 // of a frame that we send: two bytes and an eight-byte length
)

// Frame is one finished outgoing frame, header included. It is immutable and made once, however many connections it is
// sent to. The zero Frame is nothing and is not sent.
type Frame struct {
	// wire is a string because strings cannot change: any number of outboxes share the bytes without a count.
	wire string
}

// Len is the number of bytes on the wire.
func (f Frame) Len() int { return len(f.wire) }

// bytes returns the frame without a copy. The result must not be changed.
func (f Frame) bytes() []byte {
	return unsafe.Slice(unsafe.StringData(f.wire), len(f.wire)) //nolint:gosec // Nobody who gets them writes to them.
}

// NewText frames a text message. The payload is copied; it must be UTF-8.
func NewText(payload []byte) Frame { return NewFrame(OpText, payload) }

// Text frames a text message given in parts, with one allocation. The parts are copied; together they must be UTF-8.
func Text(parts ...[]byte) Frame {
	n := 0
	for _, p := range parts {
		n += len(p)
	}
	b := appendHeader(make([]byte, 0, headerLen(n)+n), OpText, n)
	for _, p := range parts {
		b = append(b, p...)
	}
	return seal(b)
}

// NewFrame frames a payload, which is copied, as one unfragmented frame. Payloads of control frames are cut at 125
// bytes.
func NewFrame(op Opcode, payload []byte) Frame {
	if op.control() && len(payload) > maxControl {
		payload = payload[:maxControl]
	}
	b := appendHeader(make([]byte, 0, headerLen(len(payload))+len(payload)), op, len(payload))
	return seal(append(b, payload...))
}

// Join makes one entry of an outbox out of frames that leave together. It counts as one frame; they are copied.
func Join(first Frame, rest []Frame) Frame {
	n := len(first.wire)
	for _, f := range rest {
		n += len(f.wire)
	}
	b := append(make([]byte, 0, n), first.wire...)
	for _, f := range rest {
		b = append(b, f.wire...)
	}
	return seal(b)
}

// closeFrame frames a Close with a code and a reason, which is cut at a character's end. Codes that stand for "none"
// give an empty payload (RFC 6455 §7.4.1).
func closeFrame(code int, reason string) Frame {
	if code == CodeNoStatus || code == CodeAbnormal || code <= 0 {
		return NewFrame(OpClose, nil)
	}
	reason = cutReason(reason)
	b := make([]byte, 2, 2+len(reason))
	binary.BigEndian.PutUint16(b, uint16(code))
	return NewFrame(OpClose, append(b, reason...))
}

// cutReason shortens a reason to what fits into a Close frame beside the code.
func cutReason(reason string) string {
	if len(reason) <= maxControl-2 {
		return reason
	}
	n := maxControl - 2
	for n > 0 && !utf8.RuneStart(reason[n]) {
		n--
	}
	return reason[:n]
}

// seal takes over b, which must not be changed afterwards.
func seal(b []byte) Frame {
	return Frame{wire: unsafe.String(unsafe.SliceData(b), len(b))} //nolint:gosec // Callers have made b and forget it.
}

func headerLen(n int) int {
	switch {
	case n <= 125:
		return 2
	case n <= 0xFFFF:
		return 4
	}
	return maxHeader
}

func appendHeader(b []byte, op Opcode, n int) []byte {
	b = append(b, finBit|byte(op))
	switch {
	case n <= 125:
		return append(b, byte(n))
	case n <= 0xFFFF:
		return binary.BigEndian.AppendUint16(append(b, 126), uint16(n))
	}
	return binary.BigEndian.AppendUint64(append(b, 127), uint64(n))
}
