package load

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// Namespace is the lattice that the measures write to.
const Namespace = "bench"

// Updating says who writes which lattice keys over NATS.
type Updating struct {
	URL     string
	Space   string // prefix and session pool
	Bucket  string // of the session pool, to look whether what was acknowledged is there
	Keys    int    // distinct shared keys, written in turn
	Writers int    // each waits for its answer before it sends the next
	Base    int64  // the counters begin behind it
	Length  time.Duration
}

// Update runs until the time is over and then compares the store with what was acknowledged.
func Update(u Updating) (Asked, error) {
	nc, err := nats.Connect(u.URL)
	if err != nil {
		return Asked{}, err
	}
	defer nc.Close()
	subject := u.Space + ".api.lattice." + Namespace
	count := u.Base
	end := time.Now().Add(u.Length)
	var body []byte
	asked, err := askAll(nc, u.Writers, func() (string, []byte, bool) {
		if !time.Now().Before(end) {
			return "", nil, false
		}
		count++
		body = append(body[:0], `{"shared":{"key:`...)
		body = strconv.AppendInt(body, count%int64(u.Keys), 10)
		body = append(body, `":{"size_counter":`...)
		body = strconv.AppendInt(body, count, 10)
		body = append(body, `}}}`...)
		return subject, body, true
	})
	if err != nil {
		return asked, err
	}
	return asked, u.verify(nc, count)
}

// verify reads the document that was written last: every update of it was acknowledged, so it must hold the greatest number.
func (u Updating) verify(nc *nats.Conn, last int64) error {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	js, err := jetstream.New(nc)
	if err != nil {
		return err
	}
	kv, err := js.KeyValue(ctx, u.Bucket)
	if err != nil {
		return err
	}
	key := fmt.Sprintf("%s.s.key=3A%d", Namespace, last%int64(u.Keys))
	entry, err := kv.Get(ctx, key)
	if err != nil {
		return fmt.Errorf("reading %s: %w", key, err)
	}
	if want := fmt.Sprintf(`{"size_counter":%d}`, last); string(entry.Value()) != want {
		return fmt.Errorf("the store has %s instead of %s", entry.Value(), want)
	}
	return nil
}

// Seeding says which users get private keys.
type Seeding struct {
	URL    string
	Space  string
	Users  int
	Keys   int // of each user
	Batch  int // users of one update
	Flying int // updates under way
}

// Seed gives users their keys, over NATS.
func Seed(s Seeding) (Asked, error) {
	nc, err := nats.Connect(s.URL)
	if err != nil {
		return Asked{}, err
	}
	defer nc.Close()
	subject, user := s.Space+".api.lattice."+Namespace, 0
	return askAll(nc, s.Flying, func() (string, []byte, bool) {
		if user >= s.Users {
			return "", nil, false
		}
		body := []byte(`{"private":{`)
		for i := range min(s.Batch, s.Users-user) {
			if i > 0 {
				body = append(body, ',')
			}
			body = fmt.Appendf(body, `"user%d":`, user)
			body = AppendKeys(body, s.Keys, user)
			user++
		}
		return subject, append(body, "}}"...), true
	})
}

// AppendKeys appends so many private keys as an object: each is a room with a counter of what was read there.
func AppendKeys(b []byte, n, first int) []byte {
	b = append(b, '{')
	for i := range n {
		if i > 0 {
			b = append(b, ',')
		}
		b = fmt.Appendf(b, `"room:%d":{"read_counter":%d}`, first+i, i+1)
	}
	return append(b, '}')
}
