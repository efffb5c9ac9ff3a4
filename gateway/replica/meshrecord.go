package replica

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/swindon-go/swindon/internal/jsontext"
	"github.com/swindon-go/swindon/internal/names"
	"github.com/swindon-go/swindon/internal/port"
)

// meshRecords are the user records of a mesh.
type meshRecords struct {
	mu  sync.Mutex // guards the following; no other is taken under it
	m   map[names.UserID]meshRecord
	sum uint64
	// unsure are records that changed here and that no other node has confirmed: they are announced again, also when the
	// repeated change finds nothing to do.
	unsure map[names.UserID]struct{}
}

type meshRecord struct {
	value []byte
	end   int64 // when it goes, in Unix milliseconds; 0: never
}

func (r meshRecord) ended(now int64) bool { return r.end != 0 && now >= r.end }

// put replaces a record; one without a value removes it. The caller holds the lock.
func (x *meshRecords) put(u names.UserID, r meshRecord) {
	if old, ok := x.m[u]; ok {
		x.sum -= recordDigest(u, old.value)
	}
	if r.value == nil {
		delete(x.m, u)
		delete(x.unsure, u)
		return
	}
	x.m[u] = r
	x.sum += recordDigest(u, r.value)
}

func recordDigest(u names.UserID, value []byte) uint64 {
	return mix('r', string(u), mix('v', string(value), 0))
}

func (x *meshRecords) hash() uint64 {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.sum
}

func (x *meshRecords) dropEnded(now int64) {
	x.mu.Lock()
	defer x.mu.Unlock()
	for u, r := range x.m {
		if r.ended(now) {
			x.put(u, meshRecord{})
		}
	}
}

// get returns a record's value; nil: there is none.
func (x *meshRecords) get(u names.UserID, now int64) []byte {
	if r := x.m[u]; !r.ended(now) {
		return r.value
	}
	return nil
}

// change is Set.ChangeRecord up to the announcement. tell says that the record must be announced.
func (x *meshRecords) change(u names.UserID, now int64, f func([]byte) ([]byte, time.Duration)) (r meshRecord, tell bool) {
	x.mu.Lock()
	defer x.mu.Unlock()
	old := x.get(u, now)
	value, ttl := f(old)
	if value == nil {
		_, unsure := x.unsure[u]
		return meshRecord{value: old, end: x.m[u].end}, unsure && old != nil
	}
	r.value = value
	if ttl > 0 {
		r.end = now + ttl.Milliseconds()
	}
	x.put(u, r)
	return r, true
}

// confirmed notes whether another node has a record that changed here.
func (x *meshRecords) confirmed(u names.UserID, ok bool) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if ok {
		delete(x.unsure, u)
		return
	}
	if x.unsure == nil {
		x.unsure = make(map[names.UserID]struct{})
	}
	x.unsure[u] = struct{}{}
}

// join takes in another node's record and tells whether ours has changed.
func (x *meshRecords) join(u names.UserID, r meshRecord, now int64, join func(a, b []byte) []byte) (value []byte, changed bool) {
	x.mu.Lock()
	defer x.mu.Unlock()
	old := x.m[u]
	switch {
	case r.ended(now):
		return nil, false
	case old.value == nil || old.ended(now):
		x.put(u, r)
		return r.value, true
	}
	both := meshRecord{value: r.value, end: r.end}
	if join != nil {
		both.value = join(old.value, r.value)
	}
	switch {
	case bytes.Equal(both.value, old.value) && bytes.Equal(both.value, r.value):
		both.end = later(old.end, r.end)
	case bytes.Equal(both.value, old.value):
		both.end = old.end
	case !bytes.Equal(both.value, r.value):
		both.end = later(old.end, r.end)
	}
	changed = !bytes.Equal(both.value, old.value)
	x.put(u, both)
	return both.value, changed
}

func later(a, b int64) int64 {
	if a == 0 || b == 0 {
		return 0
	}
	return max(a, b)
}

// page writes records in the order of the users behind after.
func (x *meshRecords) page(after string, limit int, now int64) []byte {
	x.mu.Lock()
	defer x.mu.Unlock()
	body := []byte(`{"records":[`)
	last := ""
	for _, u := range slices.Sorted(maps.Keys(x.m)) {
		r := x.m[u]
		if string(u) <= after || r.ended(now) {
			continue
		}
		if len(body) > limit {
			return append(jsontext.AppendQuoted(append(body, `],"next":`...), last), '}')
		}
		if last != "" {
			body = append(body, ',')
		}
		body = append(jsontext.AppendQuoted(append(body, `{"u":`...), string(u)), ',')
		body = append(r.appendTo(body), '}')
		last = string(u)
	}
	return append(body, "]}"...)
}

// appendTo appends the members of a record in a message.
func (r *meshRecord) appendTo(dst []byte) []byte {
	dst = append(append(dst, `"r":`...), r.value...)
	if r.end != 0 {
		dst = strconv.AppendInt(append(dst, `,"end":`...), r.end, 10)
	}
	return dst
}

// readRecord reads them.
func readRecord(body []byte) (r meshRecord, err error) {
	v, ok := jsontext.Lookup(body, "r")
	if !ok || jsontext.Check(v) != nil {
		return r, fmt.Errorf("record: %w", port.ErrMalformed)
	}
	// What came in shares its message's memory.
	return meshRecord{value: bytes.Clone(v), end: int64(number(body, "end"))}, nil
}

func (m *mesh) changeRecord(ctx context.Context, u names.UserID, f func([]byte) ([]byte, time.Duration)) ([]byte, error) {
	if !m.set.bus.Up() {
		return nil, fmt.Errorf("record: %w", port.ErrUnavailable)
	}
	r, tell := m.records.change(u, m.set.nowMs(), f)
	if !tell {
		return r.value, nil
	}
	body := strconv.AppendUint([]byte(`{"n":`), m.next(), 10)
	body = append(r.appendTo(append(body, ',')), '}')
	_, err := m.confirm(ctx, port.Message{Subject: m.set.deps.Space.Record(u), Header: m.set.header, Data: body})
	m.records.confirmed(u, err == nil)
	if err != nil {
		return nil, err
	}
	return r.value, nil
}

// hearRecord merges a record of an announcement.
func (m *mesh) hearRecord(body []byte, u names.UserID) error {
	r, err := readRecord(body)
	if err != nil {
		return err
	}
	if value, changed := m.records.join(u, r, m.set.nowMs(), m.set.deps.JoinRecords); changed {
		m.set.tellRecord(u, value)
	}
	return nil
}

// takeRecords merges a page of records.
func (m *mesh) takeRecords(body []byte) (err error) {
	list, _ := jsontext.Lookup(body, "records")
	jsontext.Each(list, func(v jsontext.Value) bool {
		name, _ := jsontext.Lookup(v, "u")
		text, _ := jsontext.Unquote(name)
		u, bad := names.ParseUserID(text)
		if bad == nil {
			bad = m.hearRecord(v, u)
		}
		if bad != nil {
			err = bad
		}
		return true
	})
	return err
}

func (m *mesh) loadRecords(us []names.UserID) [][]byte {
	m.records.mu.Lock()
	defer m.records.mu.Unlock()
	out := make([][]byte, len(us))
	for i, u := range us {
		out[i] = m.records.get(u, m.set.nowMs())
	}
	return out
}

func (m *mesh) scanRecords(f func(u names.UserID, value []byte)) {
	m.records.mu.Lock()
	all := maps.Clone(m.records.m)
	m.records.mu.Unlock()
	for u, r := range all {
		if !r.ended(m.set.nowMs()) {
			f(u, r.value)
		}
	}
}
