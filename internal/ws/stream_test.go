package ws

import (
	"encoding/binary"
	"slices"
	"testing"
	"time"
)

// FuzzStream feeds a whole connection with what a client may send. Whatever it is, the connection ends with a documented
// code, says the same code in its Close frame, and leaves nothing behind.
func FuzzStream(f *testing.F) {
	for _, seed := range [][]byte{
		masked(OpText, "hello"), masked(OpBinary, "x"), masked(OpText, "\xff"), masked(OpClose, closePayload(1000, "bye")),
		masked(OpClose, "x"), masked(OpClose, closePayload(1005, "")), join(masked(OpPing, "p"), masked(OpPong, "p")),
		join(fragment(OpText, "a"), masked(OpPing, ""), masked(opContinuation, "b")), []byte("\x81\x01a"),
		{0x81},
		{},
	} {
		f.Add(seed, uint8(3))
	}
	f.Fuzz(func(t *testing.T, data []byte, piece uint8) {
		if len(data) > 4096 {
			return
		}
		bubble(t, Options{MaxFrame: 1000, PingInterval: -1, CloseTimeout: time.Second}, open(echo), func(g *rig) {
			p := g.connect()
			for b := range slices.Chunk(data, int(piece)+1) {
				if _, err := p.conn.Write(b); err != nil {
					break // it has closed already
				}
			}
			_ = p.conn.(interface{ CloseWrite() error }).CloseWrite()
			said := CodeAbnormal
			for {
				op, payload, err := p.frame()
				if err != nil {
					break
				}
				if op == OpClose {
					said = CodeNoStatus
					if len(payload) >= 2 {
						said = int(binary.BigEndian.Uint16([]byte(payload)))
					}
				}
			}
			e := <-g.closes
			// A client that says nothing more after a bad message may be gone before its Close frame is written.
			if e.Code != said {
				t.Errorf("onClose got %d %q, the client %d", e.Code, e.Reason, said)
			}
			switch {
			case slices.Contains([]int{CodeProtocol, CodeUnsupported, CodeNoStatus, CodeAbnormal, CodeInvalidData, CodeTooBig}, e.Code):
			case validCode(e.Code): // the client's own
			default:
				t.Errorf("undocumented code %d", e.Code)
			}
		})
	})
}
