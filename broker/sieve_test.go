package broker

import (
	"bytes"
	"io"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

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

// A message that is handed over costs no allocation.
func TestSieveAllocations(t *testing.T) {
	n := 0
	r := newRig(t, func(port.Message) bool { return false })
	r.in.quick = func(port.Message) bool { n++; return true }
	b, p := []byte(strings.Repeat("MSG s.top.a 7 s.from.n 5\r\nhello\r\n", 100)+"PING\r\n"), make([]byte, 32<<10)
	from := func(p []byte) (int, error) { return copy(p, b), nil }
	if allocs := testing.AllocsPerRun(100, func() {
		if n, err := r.sieve.read(from, p); err != nil || !bytes.HasSuffix(p[:n], []byte("PING\r\n")) { // more, when the machine is busy and the turn over
			t.Fatal(n, err)
		}
	}); allocs > 0 {
		t.Errorf("%v allocations for 100 messages", allocs)
	}
	if n < 16*100 { // before that it does not look at the clock
		t.Errorf("%d messages", n)
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
