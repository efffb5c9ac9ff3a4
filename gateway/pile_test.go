package gateway

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/swindon-go/swindon/gateway/replica"
	"github.com/swindon-go/swindon/internal/memnet"
	"github.com/swindon-go/swindon/internal/names"
	"github.com/swindon-go/swindon/internal/web"
	"github.com/swindon-go/swindon/internal/ws"
)

// failer is what testing.T and rapid.T share.
type failer interface {
	Helper()
	Fatalf(format string, args ...any)
	Errorf(format string, args ...any)
}

// viewer is a client with one attachment at a time, and what it has made of the frames that it has read.
type viewer struct {
	t    failer
	conn *conn
	a    *attachment
	r    *bufio.Reader

	state map[string]map[string]any
	// last is the value told last of each counter and register.
	last map[string]string
	// atWhole are the states just before each frame with everything.
	atWhole []map[string]map[string]any
	frames  int
	done    bool
}

// newViewer connects over a network that holds little. undo must be called.
func newViewer(t failer, opts ws.Options, m *Metrics) (v *viewer, undo func()) {
	l := memnet.Listen(1 << 10)
	conns := make(chan *ws.Conn, 1)
	srv := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, err := ws.Take(w, r.WithContext(web.WithRecord(r.Context(), &web.Record{})), opts)
		if err == nil {
			err = c.Upgrade("")
		}
		if err != nil {
			t.Errorf("%v", err)
			return
		}
		c.Release()
		c.Serve(func([]byte) error { return nil }, func(int, string) {})
		conns <- c
	})}
	go func() { _ = srv.Serve(l) }()
	nc, err := l.Dial(context.Background())
	if err != nil {
		t.Fatalf("%v", err)
	}
	_, _ = io.WriteString(nc, "GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"+
		"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n")
	v = &viewer{t: t, r: bufio.NewReaderSize(nc, 16), state: map[string]map[string]any{}, last: map[string]string{}}
	if resp, err := http.ReadResponse(v.r, nil); err != nil || resp.StatusCode != http.StatusSwitchingProtocols {
		t.Fatalf("handshake: %v %v", resp, err)
	}
	v.conn = &conn{ws: <-conns, handler: &Handler{pool: &Pool{deps: Deps{Metrics: m}}}}
	v.attach()
	return v, func() {
		_ = nc.Close()
		_ = srv.Close()
		synctest.Wait()
	}
}

// attach looks anew, by another attachment, and returns the old one.
func (v *viewer) attach() *attachment {
	old := v.a
	if old != nil {
		old.over.Store(true)
	}
	v.a = &attachment{conn: v.conn, namespace: "desk"}
	return old
}

// whole sends what watchView sends.
func (v *viewer) whole(data []byte) {
	v.a.pile = nil
	v.conn.sendState(latticeFrame("desk", data))
}

// read takes one frame.
func (v *viewer) read() {
	v.t.Helper()
	op, text := v.frame()
	switch {
	case op == ws.OpClose:
		v.t.Fatalf("closed: %q", text[2:])
	case op != ws.OpText:
		return
	}
	v.frames++
	var frame []json.RawMessage
	if err := json.Unmarshal(text, &frame); err != nil || len(frame) != 3 {
		v.t.Fatalf("%q: %v", text, err)
	}
	switch string(frame[0]) {
	case `"end"`:
		v.done = true
	case `"lattice"`:
		if string(frame[1]) != `{"namespace":"desk"}` {
			v.t.Fatalf("namespace %s", frame[1])
		}
		v.take(frame[2])
	}
}

func (v *viewer) frame() (ws.Opcode, []byte) {
	v.t.Helper()
	var h [2]byte
	if _, err := io.ReadFull(v.r, h[:]); err != nil {
		v.t.Fatalf("%v", err)
	}
	n := int(h[1])
	if n == 126 {
		var b [2]byte
		_, _ = io.ReadFull(v.r, b[:])
		n = int(b[0])<<8 | int(b[1])
	}
	text := make([]byte, n)
	if _, err := io.ReadFull(v.r, text); err != nil {
		v.t.Fatalf("%v", err)
	}
	return ws.Opcode(h[0] & 0xF), text
}

// take joins a frame into the state as a client does (docs/protocol/client.md, C23 and C25).
func (v *viewer) take(data []byte) {
	v.t.Helper()
	var keys map[string]map[string]any
	if err := json.Unmarshal(data, &keys); err != nil {
		v.t.Fatalf("%s: %v", data, err)
	}
	if _, whole := keys["whole"]; whole {
		v.atWhole = append(v.atWhole, v.state)
		v.state = map[string]map[string]any{}
	}
	for k, vars := range keys {
		if v.state[k] == nil {
			v.state[k] = map[string]any{}
		}
		life := ""
		for name, value := range vars {
			old := v.state[k][name]
			switch x := value.(type) {
			case float64:
				v.last[k+name] = fmt.Sprint(x)
				if y, ok := old.(float64); ok {
					value = max(x, y)
				}
			case []any:
				if strings.HasSuffix(name, "_register") {
					v.last[k+name] = fmt.Sprint(x)
					if y, ok := old.([]any); ok && y[0].(float64) >= x[0].(float64) {
						value = old
					}
					break
				}
				set := map[string]bool{}
				for _, e := range x {
					set[e.(string)] = true
					if l, _, _ := strings.Cut(e.(string), "."); life != "" && l != life {
						v.t.Fatalf("two lives in one frame: %s", data)
					} else {
						life = l
					}
				}
				if y, ok := old.(map[string]bool); ok {
					maps.Copy(set, y)
				}
				value = set
			}
			v.state[k][name] = value
		}
	}
}

// truth makes changes as package replica does.
type truth struct {
	keys map[names.Key]*life
	n    int
}

// life is a key's: it begins with a set that names it.
type life struct {
	no, counter, version int
	set                  []string
}

func (l *life) text() string {
	return fmt.Sprintf(`{"c_counter":%d,"r_register":[%d.0,"%d"],"s_set":["%s"]}`, l.counter, l.version, l.version, strings.Join(l.set, `","`))
}

// grow changes a key and appends what has grown; it returns whether the key's life has begun by it.
func (x *truth) grow(t *rapid.T, k names.Key, dst []byte) ([]byte, bool) {
	dst = append(dst, `"`+string(k)+`":`...)
	l := x.keys[k]
	if l == nil {
		x.n++
		l = &life{no: x.n, set: []string{strconv.Itoa(x.n) + "."}}
		x.keys[k] = l
		return append(dst, l.text()...), true
	}
	switch rapid.IntRange(0, 3).Draw(t, "what grows") {
	case 0:
		l.counter += rapid.IntRange(1, 1000).Draw(t, "more")
		return fmt.Appendf(dst, `{"c_counter":%d}`, l.counter), false
	case 1:
		l.version += rapid.IntRange(1, 3).Draw(t, "newer")
		return fmt.Appendf(dst, `{"r_register":[%d.0,"%d"]}`, l.version, l.version), false
	case 2:
		e := fmt.Sprintf("%d.%d", l.no, len(l.set))
		l.set = append(l.set, e)
		return fmt.Appendf(dst, `{"s_set":["%s"]}`, e), false
	}
	l.counter++
	l.version++
	return append(dst, l.text()...), false
}

func (x *truth) change(t *rapid.T) (data []byte, anew []names.Key) {
	data = []byte{'{'}
	for i, k := range rapid.SliceOfNDistinct(rapid.SampledFrom([]names.Key{"a", "b", "c"}), 1, 2, rapid.ID[names.Key]).Draw(t, "keys") {
		if i > 0 {
			data = append(data, ',')
		}
		var begun bool
		if data, begun = x.grow(t, k, data); begun {
			anew = append(anew, k)
		}
	}
	return append(data, '}'), anew
}

// whole is the whole state, marked so that the viewers know it.
func (x *truth) whole() []byte {
	data := []byte(`{"whole":{}`)
	for _, k := range slices.Sorted(maps.Keys(x.keys)) {
		data = append(data, `,"`+string(k)+`":`+x.keys[k].text()...)
	}
	return append(data, '}')
}

// TestJoinedOrNot: a client whose changes are joined ends with the same state as one whose are not, and had the same
// before each frame with the whole state.
func TestJoinedOrNot(t *testing.T) {
	t.Parallel()
	joins := int64(0)
	rapid.Check(t, func(rt *rapid.T) {
		var failure any
		synctest.Test(t, func(*testing.T) {
			// rapid knows a failure by its panic, which must not end the bubble.
			defer func() { failure = recover() }()
			joins += joinedOrNot(rt)
		})
		if failure != nil {
			panic(failure)
		}
	})
	if joins == 0 {
		t.Error("nothing was joined")
	}
}

func joinedOrNot(t *rapid.T) (joins int64) {
	var m, plain Metrics
	slow, undo := newViewer(t, ws.Options{MaxOutBytes: 200_000, PingInterval: -1}, &m)
	defer undo()
	quick, undo := newViewer(t, ws.Options{PingInterval: -1}, &plain)
	defer undo()
	both := []*viewer{slow, quick}
	x := &truth{keys: map[names.Key]*life{}}
	filler := ws.NewText([]byte(`["message",{},"` + strings.Repeat("x", 45_000) + `"]`))
	for range rapid.IntRange(1, 80).Draw(t, "steps") {
		switch rapid.SampledFrom([]string{"change", "change", "change", "change", "end", "whole", "whole change", "attach", "fill", "fill", "read"}).Draw(t, "step") {
		case "fill":
			for range 2 {
				if n, _ := slow.conn.ws.Queued(); n < 120_000 {
					slow.conn.send(filler)
				}
			}
			synctest.Wait()
		case "change":
			data, anew := x.change(t)
			c := &replica.Change{Namespace: "desk", Data: data, Anew: anew}
			for _, v := range both {
				v.a.Changed(c)
			}
		case "end":
			delete(x.keys, rapid.SampledFrom([]names.Key{"a", "b", "c"}).Draw(t, "key"))
		case "whole":
			for _, v := range both {
				v.whole(x.whole())
			}
		case "whole change":
			c := &replica.Change{Namespace: "desk", Data: x.whole(), Whole: true}
			for _, v := range both {
				v.a.Changed(c)
			}
		case "attach":
			text := x.whole()
			data, anew := x.change(t)
			c := &replica.Change{Namespace: "desk", Data: data, Anew: anew}
			for _, v := range both {
				old := v.attach()
				v.whole(text)
				old.Changed(c) // it is about to be detached
				v.a.Changed(c)
			}
		case "read":
			for range rapid.IntRange(1, 3).Draw(t, "frames") {
				if _, n := slow.conn.ws.Queued(); n == 0 {
					break
				}
				slow.read()
				synctest.Wait()
			}
		}
	}
	for _, v := range both {
		v.conn.send(ws.NewText([]byte(`["end",{},1]`)))
		for !v.done {
			v.read()
		}
		synctest.Wait()
		if b, n := v.conn.ws.Queued(); b != 0 || n != 0 {
			t.Fatalf("Queued = %d, %d after all was read", b, n)
		}
	}
	if diff := cmp.Diff(quick.atWhole, slow.atWhole); diff != "" {
		t.Fatalf("states before those with everything (-quick +slow):\n%s", diff)
	}
	if diff := cmp.Diff(quick.state, slow.state); diff != "" {
		t.Fatalf("(-quick +slow):\n%s", diff)
	}
	if diff := cmp.Diff(quick.last, slow.last); diff != "" {
		t.Fatalf("told last (-quick +slow):\n%s", diff)
	}
	if plain.latticeJoined.Load() != 0 {
		t.Fatalf("changes of the quick client were joined")
	}
	return m.latticeJoined.Load()
}

// TestChangedCostsNothing: as long as the outbox is not half full a change is a queued frame that all share.
func TestChangedCostsNothing(t *testing.T) { //nolint:paralleltest // allocations of others would count
	synctest.Test(t, func(t *testing.T) {
		v, undo := newViewer(t, ws.Options{PingInterval: -1}, &Metrics{})
		defer undo()
		v.conn.send(ws.NewText(make([]byte, 10_000)))
		synctest.Wait()
		c := &replica.Change{Namespace: "desk", Data: []byte(`{"a":{"c_counter":1}}`)}
		v.a.Changed(c) // frames it
		if n := testing.AllocsPerRun(1000, func() { v.a.Changed(c) }); n != 0 {
			t.Errorf("a change costs %v allocations", n)
		}
		if c.Memo.(*told).keys != nil {
			t.Error("the change was read")
		}
	})
}

// TestSharedFrameStays: a joined change belongs to one connection.
func TestSharedFrameStays(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var m Metrics
		opts := ws.Options{MaxOutFrames: 10, PingInterval: -1}
		one, undo := newViewer(t, opts, &m)
		defer undo()
		other, undo := newViewer(t, opts, &m)
		defer undo()
		third, undo := newViewer(t, opts, &m)
		defer undo()
		for _, v := range []*viewer{one, other, third} {
			for range 6 {
				v.conn.send(ws.NewText([]byte(`"` + strings.Repeat("x", 10_000) + `"`)))
				synctest.Wait()
			}
		}
		c := &replica.Change{Namespace: "desk", Data: []byte(`{"a":{"c_counter":1}}`)}
		one.a.Changed(c)
		other.a.Changed(c)
		third.a.Changed(c)
		one.a.Changed(&replica.Change{Namespace: "desk", Data: []byte(`{"a":{"c_counter":2},"b":{}}`)})
		third.a.Changed(&replica.Change{Namespace: "desk", Data: []byte(`{"c":{"s_set":["x"]}}`)})
		for v, want := range map[*viewer]string{
			one: `{"a":{"c_counter":2},"b":{}}`, other: `{"a":{"c_counter":1}}`, third: `{"a":{"c_counter":1},"c":{"s_set":["x"]}}`,
		} {
			for range 6 {
				v.frame()
			}
			if _, got := v.frame(); string(got) != `["lattice",{"namespace":"desk"},`+want+`]` {
				t.Errorf("got %s, want %s", got, want)
			}
			synctest.Wait()
			if _, n := v.conn.ws.Queued(); n != 0 {
				t.Errorf("%d frames more", n)
			}
		}
		if out, joined := m.latticeOut.Load(), m.latticeJoined.Load(); out != 3 || joined != 2 {
			t.Errorf("%d frames and %d joins were counted", out, joined)
		}
	})
}

// TestPlainChangeIsNotOvertaken: while a pile waits there may be room for a change by itself. What follows it does not
// join the pile.
func TestPlainChangeIsNotOvertaken(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var m Metrics
		v, undo := newViewer(t, ws.Options{MaxOutBytes: 200_000, PingInterval: -1}, &m)
		defer undo()
		big := func(n int) string { return `"` + strings.Repeat("x", n) + `"` }
		send := func(n int) { v.conn.send(ws.NewText([]byte(big(n)))) }
		told := func(data string) string { return `["lattice",{"namespace":"desk"},` + data + `]` }
		read := func(want ...string) {
			t.Helper()
			for _, w := range want {
				if _, got := v.frame(); string(got) != w {
					t.Errorf("got %.100q, want %.100q", got, w)
				}
				synctest.Wait()
			}
		}
		send(40_000)
		synctest.Wait()
		send(60_000)
		send(60_000)
		read(big(40_000)) // the other two are being written
		v.a.Changed(&replica.Change{Namespace: "desk", Data: []byte(`{"a":{"c_counter":9}}`)})
		v.a.Changed(&replica.Change{Namespace: "desk", Data: []byte(`{"a":{"d_counter":9}}`)})
		read(big(60_000)) // there is room
		v.a.Changed(&replica.Change{Namespace: "desk", Data: []byte(`{"a":{"c_counter":1}}`), Anew: []names.Key{"a"}})
		send(60_000) // and no more
		v.a.Changed(&replica.Change{Namespace: "desk", Data: []byte(`{"a":{"c_counter":2}}`)})
		read(big(60_000), told(`{"a":{"c_counter":9,"d_counter":9}}`), told(`{"a":{"c_counter":1}}`), big(60_000), told(`{"a":{"c_counter":2}}`))
		if _, n := v.conn.ws.Queued(); n != 0 {
			t.Errorf("%d frames more", n)
		}
		if n := m.latticeJoined.Load(); n != 1 {
			t.Errorf("%d joins", n)
		}
	})
}
