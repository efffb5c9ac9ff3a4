package brokertest

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/swindon-go/swindon/internal/port"
)

// Bus is what the suite holds an implementation to: gateway.Bus and backend.Requester.
type Bus interface {
	Up() bool
	Publish(m port.Message) error
	Flush(ctx context.Context) error
	Epoch() uint64
	Request(ctx context.Context, lane port.Lane, m port.Message) (port.Message, error)
	RequestMany(ctx context.Context, lane port.Lane, m port.Message, each func(port.Message) (more bool)) error
	NextRequest(lane port.Lane) uint64
	Start(lane port.Lane, id uint64, m port.Message, deadline time.Time, done func(port.Message, error)) error
	Cancel(lane port.Lane, id uint64)
	Intake(subjects []string, quick func(port.Message) bool, handle func(port.Message)) (stop func(), err error)
	Serve(subject, queue string, handle func(port.Message)) (stop func(), err error)
	MaxPayload() int64
}

// Setup makes two nodes on one fabric of their own, up, and ends them with the test.
type Setup func(t *testing.T) (a, b Bus)

// patience bounds each wait of the suite.
const patience = 20 * time.Second

// Run runs the suite, each test on a fabric of its own.
func Run(t *testing.T, setup Setup) {
	t.Helper()
	for name, test := range map[string]func(t *testing.T, a, b Bus){
		"Order":          testOrder,
		"OwnNotHeard":    testOwnNotHeard,
		"Filter":         testFilter,
		"DataReused":     testDataReused,
		"Headers":        testHeaders,
		"StopEnds":       testStopEnds,
		"BadSubject":     testBadSubject,
		"TooLarge":       testTooLarge,
		"FlushShared":    testFlushShared,
		"FlushCancelled": testFlushCancelled,
		"Answers":        testAnswers,
		"QueueGroup":     testQueueGroup,
		"OrderedRequest": testOrderedRequest,
		"NoResponders":   testNoResponders,
		"Timeout":        testTimeout,
		"LateAnswer":     testLateAnswer,
		"SlowHandler":    testSlowHandler,
		"Start":          testStart,
		"StartFails":     testStartFails,
		"StartDeadline":  testStartDeadline,
		"Cancel":         testCancel,
		"Gather":         testGather,
		"GatherEnds":     testGatherEnds,
		"GatherFails":    testGatherFails,
		"GatherOrder":    testGatherOrder,
		"GatherMany":     testGatherMany,
		"GatherLate":     testGatherLate,
		"GatherOverflow": testGatherOverflow,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a, b := setup(t)
			if !a.Up() || !b.Up() {
				t.Fatalf("not up: %v, %v", a.Up(), b.Up())
			}
			test(t, a, b)
		})
	}
}

func wait(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), patience)
	t.Cleanup(cancel)
	return ctx
}

// hear returns what arrives on subjects as a channel. Every other length of a message is quick: the order is one.
func hear(t *testing.T, b Bus, subjects ...string) <-chan port.Message {
	t.Helper()
	got := make(chan port.Message, 10000)
	take := func(m port.Message) { got <- m }
	stop, err := b.Intake(subjects, func(m port.Message) bool {
		if len(m.Data)%2 == 1 {
			return false
		}
		m.Subject, m.Reply, m.Data = strings.Clone(m.Subject), strings.Clone(m.Reply), bytes.Clone(m.Data) // quick keeps nothing
		take(m)
		return true
	}, take)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(stop)
	return got
}

func next(t *testing.T, got <-chan port.Message) port.Message {
	t.Helper()
	select {
	case m := <-got:
		return m
	case <-wait(t).Done():
		t.Fatal("nothing arrived")
		return port.Message{}
	}
}

// nothingMore proves that nothing is left in got: what a sends last on the ordered lane is the next to arrive.
func nothingMore(t *testing.T, from Bus, subject string, got <-chan port.Message) {
	t.Helper()
	publish(t, from, subject, "the end")
	if m := next(t, got); string(m.Data) != "the end" {
		t.Errorf("arrived, though not wanted: %s %q", m.Subject, m.Data)
	}
	select {
	case m := <-got:
		t.Errorf("arrived, though not wanted: %s %q", m.Subject, m.Data)
	default:
	}
}

func publish(t *testing.T, b Bus, subject, data string) {
	t.Helper()
	if err := b.Publish(port.Message{Subject: subject, Data: []byte(data)}); err != nil {
		t.Fatalf("Publish to %q: %v", subject, err)
	}
}

// answer serves subject with the request's own data, after a prefix.
func answer(t *testing.T, b Bus, subject, prefix string) {
	t.Helper()
	stop, err := b.Serve(subject, "q", func(m port.Message) {
		err := b.Publish(port.Message{Subject: m.Reply, Header: m.Header, Data: fmt.Append(nil, prefix, string(m.Data))})
		if err != nil {
			t.Errorf("answer: %v", err)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(stop)
}
