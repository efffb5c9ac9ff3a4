package broker

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/nats.go"

	"github.com/swindon-go/swindon/internal/port"
)

// script is a connection from which pieces are read, one after the other, and then the end.
type script struct{ pieces [][]byte }

func (s *script) read(p []byte) (int, error) {
	if len(s.pieces) == 0 {
		return 0, io.EOF
	}
	n := copy(p, s.pieces[0])
	if s.pieces[0] = s.pieces[0][n:]; len(s.pieces[0]) == 0 {
		s.pieces = s.pieces[1:]
	}
	return n, nil
}

// cut cuts text into pieces of at most most bytes.
func cut(text string, most int, rnd *rand.Rand) *script {
	s := &script{}
	for b := []byte(text); len(b) > 0; {
		n := min(1+rnd.IntN(most), len(b))
		s.pieces, b = append(s.pieces, b[:n]), b[n:]
	}
	return s
}

// library stands for the client library: it logs the operations that it has read to their ends.
type library struct {
	got []byte // of an operation that is not complete
	log *[]string
}

func (l *library) take(b []byte) {
	l.got = append(l.got, b...)
	for len(l.got) > 0 {
		op := parseOperation(l.got)
		if op.kind == opBad || op.kind == opPart || op.kind == opLine || op.head+op.body > len(l.got) {
			return
		}
		*l.log = append(*l.log, strings.Clone(string(l.got[:op.head+op.body])))
		l.got = l.got[op.head+op.body:]
	}
}

// rig is a sieve with one intake, whose quick function takes what accepts says, and a library behind it.
type rig struct {
	sieve *sieve
	in    *intake
	log   []string // everything, in the order in which it was seen: what quick took begins with "quick "
	lib   library
}

func newRig(t testing.TB, accepts func(m port.Message) bool) *rig {
	r := &rig{}
	r.lib.log = &r.log
	r.in = testIntake(t, func(m port.Message) bool {
		if !accepts(m) {
			return false
		}
		r.log = append(r.log, "quick "+strings.Clone(m.Subject)+" "+strings.Clone(m.Reply)+" "+string(m.Data))
		return true
	}, nil, nil)
	r.in.listenTo([]string{"s.top.>", "s.exact", "s.*.>"})
	tap := &tap{sifts: true}
	tap.add(r.in)
	r.sieve = &sieve{tap: tap}
	return r
}

// run reads everything as the library does, with the buffer that it has.
func (r *rig) run(t testing.TB, s *script) {
	t.Helper()
	p := make([]byte, 32<<10)
	for {
		r.in.poll() // as tappedConn.Read
		n, err := r.sieve.read(s.read, p)
		if n > 0 {
			r.lib.take(p[:n])
			clear(p[:n]) // it is the library's
		}
		if err != nil {
			if err != io.EOF {
				t.Fatal(err)
			}
			return
		}
		if n == 0 {
			t.Fatal("a read of nothing")
		}
	}
}

func TestSieve(t *testing.T) {
	t.Parallel()
	big := strings.Repeat("x", sieveSize)
	for name, c := range map[string]struct {
		in   string
		want []string
	}{
		"messages": {
			"MSG s.top.a 7 5\r\nhello\r\nMSG s.top.b 7 s.from.n 2\r\n{}\r\nMSG s.top.c 7 0\r\n\r\n",
			[]string{"quick s.top.a  hello", "quick s.top.b s.from.n {}", "quick s.top.c  "},
		},
		"other things": {
			"INFO {\"a\":1}\r\nPING\r\n+OK\r\nPONG\r\n-ERR 'x'\r\n",
			[]string{"INFO {\"a\":1}\r\n", "PING\r\n", "+OK\r\n", "PONG\r\n", "-ERR 'x'\r\n"},
		},
		"other subjects": {
			"MSG s.exact 1 1\r\na\r\nMSG s.topx 1 1\r\nb\r\nMSG s.top. 1 1\r\nc\r\nMSG other 1 1\r\nd\r\n",
			[]string{"MSG s.exact 1 1\r\na\r\n", "MSG s.topx 1 1\r\nb\r\n", "MSG s.top. 1 1\r\nc\r\n", "MSG other 1 1\r\nd\r\n"},
		},
		"headers": {"HMSG s.top.a 7 12 13\r\nNATS/1.0\r\n\r\nx\r\n", []string{"HMSG s.top.a 7 12 13\r\nNATS/1.0\r\n\r\nx\r\n"}},
		"large":   {"MSG s.top.a 7 8193\r\n" + big + "x\r\n", []string{"MSG s.top.a 7 8193\r\n" + big + "x\r\n"}},
		"refused": {"MSG s.top.a 7 2\r\nno\r\nMSG s.top.b 7 1\r\nx\r\n", []string{"MSG s.top.a 7 2\r\nno\r\n", "MSG s.top.b 7 1\r\nx\r\n"}},
		"behind": { // what stands behind something else is the library's, which has not seen that yet
			"MSG s.top.a 7 1\r\nx\r\nPING\r\nMSG s.top.b 7 1\r\ny\r\n",
			[]string{"quick s.top.a  x", "PING\r\n", "MSG s.top.b 7 1\r\ny\r\n"},
		},
		"line ends in bodies": {"MSG s.top.a 7 8\r\nMSG\r\n\r\n \r\n", []string{"quick s.top.a  MSG\r\n\r\n "}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, func(m port.Message) bool { return string(m.Data) != "no" })
			r.run(t, &script{[][]byte{[]byte(c.in)}})
			if diff := cmp.Diff(c.want, r.log); diff != "" {
				t.Error(diff)
			}
			if r.sieve.off {
				t.Error("the sieve has given up")
			}
		})
	}
}

// TestSieveGivesUp: what is not understood is passed on as it is, with all that follows.
func TestSieveGivesUp(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", sieveLine+1)
	for _, bad := range []string{
		"\x16\x03\x01\x02\x00", "HTTP/1.1 101 Switching Protocols\r\n", "msg s.top.a 7 1\r\nx\r\n", "MSG s.top.a 7 -1\r\n", "MSG s.top.a 7 x\r\n",
		"MSG\r\n", "MSG s.top.a\r\n", "MSG s.top.a 7 9999999999\r\n", "\r\n", "MSG s.top.a 7 1\r\nxyz", "MSG " + long, "MSG " + long + "\r\n",
	} {
		in := "MSG s.top.a 7 1\r\nx\r\n" + bad + "MSG s.top.b 7 1\r\ny\r\n"
		for most := range 30 {
			r := newRig(t, func(port.Message) bool { return true })
			var out []byte
			s, p := cut(in, 1+most*most*most, rand.New(rand.NewPCG(1, uint64(most)))), make([]byte, 32<<10)
			for {
				n, err := r.sieve.read(s.read, p)
				out = append(out, p[:n]...)
				if err != nil {
					break
				}
			}
			if want := bad + "MSG s.top.b 7 1\r\ny\r\n"; string(out) != want || !r.sieve.off || len(r.log) != 1 {
				t.Errorf("%.40q in pieces of %d: passed on %.80q, off %v, %q", bad, 1+most*most*most, out, r.sieve.off, r.log)
			}
		}
	}
}

// TestSieveSmallBuffer: a reader without room for what is held back gets it in pieces.
func TestSieveSmallBuffer(t *testing.T) {
	t.Parallel()
	in := "MSG s.top.a 7 2000\r\n" + strings.Repeat("x", 2000) + "\r\nPING\r\n"
	r := newRig(t, func(port.Message) bool { return true })
	s := cut(in, 100, rand.New(rand.NewPCG(1, 2)))
	var out []byte
	for p := make([]byte, sieveRoom+500); ; {
		n, err := r.sieve.read(s.read, p)
		out = append(out, p[:n]...)
		if err != nil {
			break
		}
	}
	if string(out) != in || !r.sieve.off {
		t.Errorf("passed on %d bytes of %d, off %v", len(out), len(in), r.sieve.off)
	}
}

// TestSieveBusy: while the intake's goroutine has something to do, or after it has ended, all goes the usual way.
func TestSieveBusy(t *testing.T) {
	t.Parallel()
	message := "MSG s.top.a 7 1\r\nx\r\n"
	for name, prepare := range map[string]func(in *intake){
		"busy":    func(in *intake) { in.busy = true },
		"waiting": func(in *intake) { in.ch <- numbered(0, 0) },
		"ended":   func(in *intake) { close(in.done) },
		"shared":  func(in *intake) { in.shared.Store(true) },
	} {
		r := newRig(t, func(port.Message) bool { return true })
		prepare(r.in)
		p := make([]byte, 32<<10)
		n, err := r.sieve.read((&script{[][]byte{[]byte(message)}}).read, p)
		if err != nil || string(p[:n]) != message || len(r.log) > 0 {
			t.Errorf("%s: %q, %v, %q", name, p[:n], err, r.log)
		}
	}
}

// stream is a random sequence of operations, with lines and bodies of at most most bytes.
func stream(rnd *rand.Rand, n, most int) (text string, ops []string) {
	for i := range n {
		var op string
		body := strings.Repeat("b\r\n", rnd.IntN(5)) + fmt.Sprint(i)
		switch rnd.IntN(30) {
		case 0:
			op = "PING\r\n"
		case 1:
			op = "INFO " + strings.Repeat("i", rnd.IntN(most)) + "\r\n"
		case 2:
			op = fmt.Sprintf("HMSG s.top.h 7 12 %d\r\nNATS/1.0\r\n\r\n%s\r\n", 12+len(body), body)
		case 3:
			body = strings.Repeat("x", rnd.IntN(most))
			op = fmt.Sprintf("MSG s.top.l 7 %d\r\n%s\r\n", len(body), body)
		case 4:
			op = fmt.Sprintf("MSG other 3 reply %d\r\n%s\r\n", len(body), body)
		case 5:
			body = "no" + body
			fallthrough
		default:
			op = fmt.Sprintf("MSG s.top.%d 7 %d\r\n%s\r\n", i, len(body), body)
		}
		text, ops = text+op, append(ops, op)
	}
	return text, ops
}

// TestSieveKeepsOrder: whatever the pieces are in which it is read, everything is seen once, in its order.
func TestSieveKeepsOrder(t *testing.T) {
	t.Parallel()
	taken := 0
	for seed := range uint64(150) {
		rnd := rand.New(rand.NewPCG(seed, 1))
		text, ops := stream(rnd, 1+rnd.IntN(40), 20000)
		r := newRig(t, func(m port.Message) bool { return !bytes.HasPrefix(m.Data, []byte("no")) })
		r.run(t, cut(text, 1+rnd.IntN(1<<rnd.IntN(16)), rnd))
		if len(r.log) != len(ops) || r.sieve.off {
			t.Fatalf("seed %d: saw %d operations of %d, off %v", seed, len(r.log), len(ops), r.sieve.off)
		}
		for i, op := range ops {
			got := r.log[i]
			if rest, quick := strings.CutPrefix(got, "quick "); quick {
				taken++
				subject, data, _ := strings.Cut(rest, "  ")
				got = fmt.Sprintf("MSG %s 7 %d\r\n%s\r\n", subject, len(data), data)
			}
			if got != op {
				t.Fatalf("seed %d: operation %d is %.100q, want %.100q", seed, i, got, op)
			}
		}
	}
	if taken < 500 {
		t.Errorf("only %d messages were handed over", taken)
	}
}

// A message that is handed over costs no allocation.
func TestSieveAllocations(t *testing.T) {
	n := 0
	r := newRig(t, func(port.Message) bool { return false })
	r.in.quick = func(port.Message) bool { n++; return true }
	b, p := []byte(strings.Repeat("MSG s.top.a 7 s.from.n 5\r\nhello\r\n", 100)+"PING\r\n"), make([]byte, 32<<10)
	from := func(p []byte) (int, error) { return copy(p, b), nil }
	if allocs := testing.AllocsPerRun(100, func() {
		if n, err := r.sieve.read(from, p); err != nil || string(p[:n]) != "PING\r\n" {
			t.Fatal(n, err)
		}
	}); allocs > 0 {
		t.Errorf("%v allocations for 100 messages", allocs)
	}
	if n < 100*100 {
		t.Errorf("%d messages", n)
	}
}

// FuzzSieve: what the sieve passes on and what it hands over is all that it reads, in the order in which it reads it.
func FuzzSieve(f *testing.F) {
	text, _ := stream(rand.New(rand.NewPCG(3, 3)), 12, 1000)
	f.Add([]byte(text[:min(len(text), 4000)]), uint64(1))
	f.Add([]byte("MSG s.top.a 7 1\r\nx\r\nMSG s.top.b 7 r 2\r\nno\r\nPING\r\n"), uint64(2))
	f.Add([]byte("MSG s.top.a 7 1\r\nxx\r\n\x16\x03"), uint64(3))
	f.Fuzz(func(t *testing.T, in []byte, seed uint64) {
		rnd := rand.New(rand.NewPCG(seed, 0))
		var seen []byte
		r := newRig(t, func(port.Message) bool { return false })
		r.in.quick = func(m port.Message) bool {
			if bytes.HasPrefix(m.Data, []byte("no")) {
				return false
			}
			// It stands in what was read, with anything between subject and reply.
			i := bytes.Index(in[len(seen):], m.Data)
			if i < 0 || !bytes.HasPrefix(in[len(seen):], []byte("MSG "+m.Subject+" ")) {
				t.Fatalf("%q was handed over behind %q", m, seen)
			}
			line := bytes.IndexByte(in[len(seen):], '\n') + 1
			seen = append(seen, in[len(seen):len(seen)+line+len(m.Data)+2]...)
			return true
		}
		s, p := cut(string(in), 1+rnd.IntN(1<<rnd.IntN(14)), rnd), make([]byte, 32<<10)
		for {
			r.in.poll()
			n, err := r.sieve.read(s.read, p)
			seen = append(seen, p[:n]...)
			if err != nil {
				break
			}
		}
		// An operation that is not complete at the end may be held back.
		if !bytes.HasPrefix(in, seen) || len(in)-len(seen) > sieveLine+sieveSize+2 {
			t.Fatalf("%d bytes of %d were seen, or others", len(seen), len(in))
		}
	})
}

// operationAt returns the operation at the beginning of b, told in another way than the sieve does; "": it is not complete.
func operationAt(b string) string {
	line, rest, whole := strings.Cut(b, "\r\n")
	if !whole {
		return ""
	}
	words, size := strings.Fields(line), 0
	if words[0] == "MSG" || words[0] == "HMSG" {
		if _, err := fmt.Sscan(words[len(words)-1], &size); err != nil || len(rest) < size+2 {
			return ""
		}
		return line + "\r\n" + rest[:size+2]
	}
	return line + "\r\n"
}

// TestSieveAndQueue: with what was refused on its way through the channel and the queue of the intake, the order is still
// that of arrival.
func TestSieveAndQueue(t *testing.T) {
	t.Parallel()
	quick, handled := 0, 0
	for seed := range uint64(60) {
		synctest.Test(t, func(t *testing.T) {
			rnd := rand.New(rand.NewPCG(seed, 2))
			text, ops := stream(rnd, 1+rnd.IntN(60), 10000)
			var want, got []string // bodies of the intake's messages
			for _, op := range ops {
				if strings.HasPrefix(op, "MSG s.top") {
					want = append(want, strings.SplitN(op, "\r\n", 2)[1])
				}
			}
			in := testIntake(t, func(m port.Message) bool {
				if bytes.HasPrefix(m.Data, []byte("no")) {
					return false
				}
				quick++
				got = append(got, string(m.Data)+"\r\n")
				return true
			}, func(m port.Message) {
				time.Sleep(time.Microsecond) // others go on
				handled++
				got = append(got, string(m.Data)+"\r\n")
			}, nil)
			in.listenTo([]string{"s.top.>"})
			tap := &tap{sifts: true}
			tap.add(in)
			in.start()
			conn := tappedConn{tap: tap, sieve: &sieve{tap: tap}}
			source, p, left := cut(text, 16+rnd.IntN(1<<rnd.IntN(16)), rnd), make([]byte, 32<<10), ""
			for {
				tap.poll()
				n, err := conn.sieve.read(source.read, p)
				left += string(p[:n])
				for op := operationAt(left); op != ""; op = operationAt(left) {
					left = left[len(op):]
					if line, body, _ := strings.Cut(op, "\r\n"); strings.HasPrefix(line, "MSG s.top") {
						in.ch <- &nats.Msg{Subject: strings.Fields(line)[1], Data: []byte(strings.TrimSuffix(body, "\r\n"))}
					}
				}
				if rnd.IntN(3) == 0 {
					synctest.Wait() // the queue is worked off, or its goroutine sleeps
				}
				if err != nil {
					break
				}
			}
			tap.poll()
			time.Sleep(time.Second)
			in.stop()
			if left != "" {
				t.Errorf("seed %d: left %.100q", seed, left)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Fatalf("seed %d: %s", seed, diff)
			}
		})
	}
	if quick < 150 || handled < 150 {
		t.Errorf("%d messages were quick and %d went through the queue", quick, handled)
	}
}

// TestOverlappingIntakes: a sieve cannot tell whose a message is, so none of them is asked.
func TestOverlappingIntakes(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		a, b string
		want bool
	}{
		{"s.top.>", "s.top.>", true},
		{"s.top.>", "s.top.x", true},
		{"s.*.x", "s.top.>", true},
		{"s.top.x", "s.top.x", true},
		{"s.top.>", "s.user.>", false},
		{"s.top.>", "t.top.>", false},
		{">", "s.top.>", true},
	} {
		a, b := testIntake(t, nil, nil, nil), testIntake(t, nil, nil, nil)
		a.listenTo([]string{"other", c.a})
		b.listenTo([]string{c.b})
		if got := a.overlaps(b); got != c.want || b.overlaps(a) != c.want {
			t.Errorf("%s and %s: %v", c.a, c.b, got)
		}
	}
}
