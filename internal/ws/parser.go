package ws

import (
	"encoding/binary"
	"sync"
)

// parser turns the client's bytes into messages and control frames (RFC 6455 §5). It is fed with whatever pieces the
// network gives, keeps only what is unfinished between two of them, and does no I/O. The zero value with a limit is
// ready. It serves one goroutine.
type parser struct {
	limit int64      // of one message
	pool  *sync.Pool // of *[]byte, for messages that come in pieces; may be nil

	head    [14]byte // header bytes of a frame whose header is not complete yet
	headLen uint8

	inFrame bool // the header is read, remain bytes of payload are to come
	fin     bool
	op      Opcode // of the frame
	msgOp   Opcode // of the unfinished message; 0 when there is none
	key     [4]byte
	remain  int64

	msg []byte // payload of the unfinished message so far
	ctl []byte // payload of the unfinished control frame so far
}

// idle tells whether the parser stands between two messages.
func (p *parser) idle() bool { return !p.inFrame && p.headLen == 0 && p.msgOp == 0 }

// feed parses data, calling emit for each message and control frame. Payloads are valid during the call only; data is
// changed. The error is emit's, or a *CloseError that says with which code the connection is to be closed; nothing may
// be fed afterwards.
func (p *parser) feed(data []byte, emit func(op Opcode, payload []byte) error) error {
	for {
		if !p.inFrame {
			n, complete, err := p.header(data)
			if err != nil {
				return err
			}
			data = data[n:]
			if !complete {
				return nil
			}
		}
		n := int(min(p.remain, int64(len(data))))
		part := data[:n]
		data = data[n:]
		if done, err := p.payload(part, emit); !done || err != nil {
			return err
		}
	}
}

// header takes header bytes from data. It returns how many, and whether the header is complete.
func (p *parser) header(data []byte) (int, bool, error) {
	h, taken := data, 0
	if p.headLen > 0 || len(data) < len(p.head) {
		taken = copy(p.head[p.headLen:], data)
		h = p.head[:int(p.headLen)+taken]
	}
	if len(h) < 2 {
		p.headLen = uint8(len(h))
		return taken, false, nil
	}
	if err := p.checkStart(h[0], h[1]); err != nil {
		return 0, false, err
	}
	need := 6
	switch h[1] &^ maskBit {
	case 126:
		need = 8
	case 127:
		need = 14
		if len(h) >= 10 && h[2]&0x80 != 0 {
			return 0, false, framing("bad length")
		}
	}
	if len(h) < need {
		p.headLen = uint8(len(h))
		return taken, false, nil
	}
	taken = need - int(p.headLen)
	p.headLen = 0
	return taken, true, p.begin(h[:need])
}

// checkStart checks the first two bytes of a frame (RFC 6455 §5.2, §5.4, §5.5).
func (p *parser) checkStart(b0, b1 byte) error {
	op := Opcode(b0 & 0x0F)
	switch {
	case b0&0x70 != 0:
		return framing("reserved bits set")
	case b1&maskBit == 0:
		return framing("frame not masked")
	}
	switch op {
	case OpText, OpBinary:
		if p.msgOp != 0 {
			return framing("new message before the end of the last")
		}
	case opContinuation:
		if p.msgOp == 0 {
			return framing("continuation of nothing")
		}
	case OpClose, OpPing, OpPong:
		if b0&finBit == 0 || b1&^maskBit > maxControl {
			return framing("bad control frame")
		}
	default:
		return framing("unknown opcode")
	}
	return nil
}

// begin enters the frame whose complete and checked header is given.
func (p *parser) begin(h []byte) error {
	n := uint64(h[1] &^ maskBit)
	switch n {
	case 126:
		n = uint64(binary.BigEndian.Uint16(h[2:]))
	case 127:
		n = binary.BigEndian.Uint64(h[2:])
	}
	op := Opcode(h[0] & 0x0F)
	if !op.control() && int64(n) > p.limit-int64(len(p.msg)) {
		return &CloseError{Code: CodeTooBig, Reason: "message too big"}
	}
	p.op, p.fin, p.remain, p.inFrame = op, h[0]&finBit != 0, int64(n), true
	copy(p.key[:], h[len(h)-4:])
	if op == OpText || op == OpBinary {
		p.msgOp = op
	}
	return nil
}

// payload takes a part of the current frame's payload. It returns whether the frame is finished.
func (p *parser) payload(part []byte, emit func(op Opcode, payload []byte) error) (bool, error) {
	p.key = unmask(part, p.key)
	p.remain -= int64(len(part))
	switch {
	case p.op.control():
		if p.remain > 0 {
			p.ctl = append(p.ctl, part...)
			return false, nil
		}
		if p.ctl != nil {
			part = append(p.ctl, part...)
			p.ctl = nil
		}
		p.inFrame = false
		return true, emit(p.op, part)
	case p.remain > 0 || !p.fin:
		p.grow(len(part))
		p.msg = append(p.msg, part...)
		if p.remain > 0 {
			return false, nil
		}
		p.inFrame = false
		return true, nil
	}
	op := p.msgOp
	whole := p.msg == nil // the message lies in the caller's buffer
	if !whole {
		part = append(p.msg, part...)
	}
	p.inFrame, p.msgOp, p.msg = false, 0, nil
	err := emit(op, part)
	if !whole {
		p.keep(part)
	}
	return true, err
}

// maxAhead bounds what is allocated on a header's word alone: a client must send bytes to make us hold more.
const maxAhead = 64 << 10

// maxKept bounds the buffers that are kept for other messages.
const maxKept = 256 << 10

// grow makes room for a part and, within bounds, for what the frame says will follow.
func (p *parser) grow(part int) {
	if p.msg != nil {
		return
	}
	if p.pool != nil {
		if b, ok := p.pool.Get().(*[]byte); ok {
			p.msg = (*b)[:0]
			return
		}
	}
	p.msg = make([]byte, 0, part+int(min(p.remain, maxAhead)))
}

// keep gives a message's buffer to the messages that follow.
func (p *parser) keep(b []byte) {
	if p.pool != nil && cap(b) <= maxKept {
		p.pool.Put(&b)
	}
}

func framing(reason string) error { return &CloseError{Code: CodeProtocol, Reason: reason} }

// unmask decodes b in place and returns the key rotated for the bytes that follow (RFC 6455 §5.3).
func unmask(b []byte, key [4]byte) [4]byte {
	k := uint64(binary.LittleEndian.Uint32(key[:]))
	k |= k << 32
	for len(b) >= 8 {
		binary.LittleEndian.PutUint64(b, binary.LittleEndian.Uint64(b)^k)
		b = b[8:]
	}
	for i := range b {
		b[i] ^= key[i&3]
	}
	if r := len(b) & 3; r != 0 {
		key = [4]byte{key[r], key[(r+1)&3], key[(r+2)&3], key[(r+3)&3]}
	}
	return key
}
