package load

import (
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/swindon-go/swindon/internal/names"
)

// fetchTimeout bounds the wait for each answer, in Fetch.
const fetchTimeout = time.Minute

// Fetch writes the same state as Attach and then reads, with the bare client library, what a node reads of each namespace:
// the user's document, and then the shared ones that it names in one request. What is measured is the time of both.
func Fetch(a Attaching) (Spread, error) {
	if err := a.prepare(reader); err != nil {
		return Spread{}, err
	}
	nc, err := nats.Connect(a.NATS)
	if err != nil {
		return Spread{}, err
	}
	defer nc.Close()
	inbox := nats.NewInbox()
	answers, err := nc.SubscribeSync(inbox)
	if err != nil {
		return Spread{}, err
	}
	bucket := names.Prefix(a.Prefix).Lattices(names.Pool(a.Pool))
	var took []time.Duration
	for i := range a.Times {
		ns := names.Namespace(Namespace + strconv.Itoa(i))
		start := time.Now()
		private, err := bucket.DirectGet(names.PrivateOf(ns, reader).StoreKey())
		if err != nil {
			return Spread{}, err
		}
		m, err := nc.Request(private, nil, fetchTimeout)
		if err != nil {
			return Spread{}, err
		}
		if status := m.Header.Get("Status"); status != "" {
			return Spread{}, fmt.Errorf("the user's document: status %s", status)
		}
		if err := fetchShared(nc, answers, bucket, ns, a.Keys); err != nil {
			return Spread{}, err
		}
		took = append(took, time.Since(start))
	}
	return spread(took), nil
}

// fetchShared reads the shared documents of a namespace in one request.
func fetchShared(nc *nats.Conn, answers *nats.Subscription, bucket names.Bucket, ns names.Namespace, keys int) error {
	var ask struct {
		Last []string `json:"multi_last"`
	}
	for i := range keys {
		subject, err := bucket.Key(names.SharedOf(ns, names.Key("room:"+strconv.Itoa(i))).StoreKey())
		if err != nil {
			return err
		}
		ask.Last = append(ask.Last, subject)
	}
	data, err := json.Marshal(ask)
	if err != nil {
		return err
	}
	if err := nc.PublishRequest(bucket.AnyDirectGet(), answers.Subject, data); err != nil {
		return err
	}
	for n := 0; ; n++ {
		m, err := answers.NextMsg(fetchTimeout)
		if err != nil {
			return err
		}
		if m.Header.Get("Status") == "" {
			continue
		}
		if n != keys {
			return fmt.Errorf("%d documents instead of %d: %v", n, keys, m.Header)
		}
		return nil
	}
}
