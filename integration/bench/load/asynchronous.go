package load

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
)

// Spread is where the middle and the end of some durations lie, in milliseconds.
type Spread struct {
	P50, P99, Max float64
}

// spread sorts d.
func spread(d []time.Duration) Spread {
	if len(d) == 0 {
		return Spread{}
	}
	slices.Sort(d)
	at := func(part float64) float64 { return float64(d[int(part*float64(len(d)-1))].Microseconds()) / 1000 }
	return Spread{P50: at(0.5), P99: at(0.99), Max: at(1)}
}

// Asked is what came of a closed loop of requests.
type Asked struct {
	Answers int64
	Seconds float64
	Spread  Spread
}

// errText is what a service says that refuses.
const errText = "Nats-Service-Error"

// askAll keeps so many requests under way on one connection, for as long as next says so: the cheapest loop that there is
// with the client library, since the answers come to one goroutine. The first refusal ends it.
func askAll(nc *nats.Conn, flying int, next func() (subject string, body []byte, more bool)) (Asked, error) {
	inbox := nc.NewInbox() + "."
	starts := make([]time.Time, flying)
	replies := make([]string, flying)
	var took []time.Duration
	answers := make(chan *nats.Msg, flying)
	sub, err := nc.ChanSubscribe(inbox+"*", answers)
	if err != nil {
		return Asked{}, err
	}
	defer func() { _ = sub.Unsubscribe() }()
	begin, open := time.Now(), 0
	send := func(i int) error {
		subject, body, more := next()
		if !more {
			return nil
		}
		open++
		starts[i] = time.Now()
		return nc.PublishRequest(subject, replies[i], body)
	}
	for i := range flying {
		replies[i] = inbox + strconv.Itoa(i)
		if err := send(i); err != nil {
			return Asked{}, err
		}
	}
	limit := time.NewTimer(2 * time.Minute)
	defer limit.Stop()
	for open > 0 {
		select {
		case m := <-answers:
			open--
			if text := m.Header.Get(errText); text != "" || m.Header.Get("Status") != "" {
				return Asked{}, fmt.Errorf("request %s: %s %s", m.Subject, text, m.Header.Get("Status"))
			}
			i, err := strconv.Atoi(strings.TrimPrefix(m.Subject, inbox))
			if err != nil {
				return Asked{}, err
			}
			took = append(took, time.Since(starts[i]))
			if err := send(i); err != nil {
				return Asked{}, err
			}
		case <-limit.C:
			return Asked{}, fmt.Errorf("%d requests are not answered", open)
		}
	}
	seconds := time.Since(begin).Seconds()
	return Asked{Answers: int64(len(took)), Seconds: seconds, Spread: spread(took)}, nil
}
