package broker

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/nats.go"

	"github.com/swindon-go/swindon/internal/port"
)

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
