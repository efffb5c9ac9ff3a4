package replica

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/swindon-go/swindon/internal/jsontext"
	"github.com/swindon-go/swindon/internal/names"
	"github.com/swindon-go/swindon/internal/port"
)

// announce tells the other nodes and this node's views of rounds that the caller has claimed: all of them in one
// message, and in one Change per view. It does no I/O that waits.
func (s *Set) announce(rounds []*round) {
	var batch []docChange
	epoch := s.bus.Epoch()
	for _, r := range rounds {
		r.epoch = epoch
		switch {
		case r.err != nil || !r.tell:
		case r.doc.Kind == names.RecordDoc:
			r.sent = s.publish(recordMessage(s, &r.change))
			s.heardOf(&r.change)
		default:
			batch = append(batch, r.change)
		}
	}
	var sent error
	var held []*heldChange
	if len(batch) > 0 {
		held, sent = s.share(batch)
	}
	for _, r := range rounds {
		if r.doc.Kind != names.RecordDoc && r.err == nil {
			r.sent, r.held = sent, held
		}
		if r.announced != nil {
			close(r.announced)
		}
	}
}

// share publishes changes of one namespace and delivers them here. They are delivered also when they could not be
// published: they are committed.
func (s *Set) share(batch []docChange) (held []*heldChange, sent error) {
	ns := batch[0].doc.Namespace
	for _, body := range s.bodies(batch, nil) {
		if err := s.publish(port.Message{Subject: s.deps.Space.Lattice(ns), Header: s.header, Data: body}); err != nil {
			sent = err
			break
		}
	}
	held = s.deliver(ns, batch)
	for i := range batch {
		s.heardOf(&batch[i])
	}
	return held, sent
}

func (s *Set) publish(m port.Message) error {
	if err := s.bus.Publish(m); err != nil {
		return fmt.Errorf("announce: %w", err)
	}
	s.metrics.announced.Add(1)
	return nil
}

// handedOver returns when the announcements of rounds have been handed to NATS and delivered here. They have been
// announced, or are being announced by somebody else.
func (s *Set) handedOver(ctx context.Context, rounds []*round) error {
	for _, r := range rounds {
		if r.announced != nil {
			select {
			case <-r.announced:
			case <-ctx.Done():
				return ended(ctx.Err())
			}
		}
		if r.sent != nil {
			return r.sent
		}
	}
	if err := s.bus.Flush(ctx); err != nil {
		return notFlushed(err)
	}
	epoch := s.bus.Epoch()
	for _, r := range rounds {
		if r.epoch != epoch {
			// What was published may have gone with its connection.
			return fmt.Errorf("announce: %w", port.ErrTimeout)
		}
		if err := await(ctx, r.held); err != nil {
			return ended(err)
		}
	}
	return nil
}

func notFlushed(err error) error {
	if errors.Is(err, port.ErrUnavailable) {
		return fmt.Errorf("flush: %w", err)
	}
	return fmt.Errorf("flush: %w", ended(err))
}

// bodies writes announcements of a batch, more than one when it does not fit into a message. In a mesh, counter numbers
// them; else it is nil.
func (s *Set) bodies(batch []docChange, counter func() uint64) [][]byte {
	limit := int(min(s.bus.MaxPayload(), 1<<30)) - 64
	begin := func() []byte {
		body := append(make([]byte, 0, 256), '{')
		if counter != nil {
			body = append(strconv.AppendUint(append(body, `"n":`...), counter(), 10), ',')
		}
		return append(body, `"docs":[`...)
	}
	var out [][]byte
	body := begin()
	empty := len(body)
	for i := range batch {
		was := len(body)
		if was > empty {
			body = append(body, ',')
		}
		at := len(body)
		body = batch[i].appendTo(body)
		if len(body) <= limit {
			continue
		}
		if was > empty {
			// It begins the next message.
			next := begin()
			empty = len(next)
			next = append(next, body[at:]...)
			out = append(out, append(body[:was:was], "]}"...))
			body = next
		}
		if len(body) > limit {
			// It fits into none: the others load it.
			alone := docChange{doc: batch[i].doc, form: asUnknown, seq: batch[i].seq, prev: batch[i].prev}
			body = alone.appendTo(body[:empty])
		}
	}
	return append(out, append(body, "]}"...))
}

// appendTo appends the change as it stands in an announcement.
func (c *docChange) appendTo(dst []byte) []byte {
	if c.doc.Kind == names.SharedDoc {
		dst = append(append(dst, `{"s":"`...), c.doc.Key...)
	} else {
		dst = append(append(dst, `{"p":"`...), c.doc.User...)
	}
	dst = append(dst, '"')
	if c.seq != 0 {
		dst = strconv.AppendUint(append(dst, `,"seq":`...), c.seq, 10)
		dst = strconv.AppendUint(append(dst, `,"prev":`...), c.prev, 10)
	}
	switch c.form {
	case asGone:
		dst = append(dst, `,"gone":true`...)
	case asUnknown:
	default:
		dst = append(dst, `,"d":`...)
		dst = c.delta.appendStored(dst, c.doc.Kind)
	}
	return append(dst, '}')
}

// recordMessage announces a user's record.
func recordMessage(s *Set, c *docChange) port.Message {
	body := strconv.AppendUint([]byte(`{"seq":`), c.seq, 10)
	body = strconv.AppendUint(append(body, `,"prev":`...), c.prev, 10)
	if c.form != asGone {
		body = append(append(body, `,"r":`...), c.delta.record...)
	}
	return port.Message{Subject: s.deps.Space.Record(c.doc.User), Header: s.header, Data: append(body, '}')}
}

// parseDocs reads the documents of an announcement in namespace ns. wanted tells which of them are to be read whole;
// of the others only the numbers are.
func (s *Set) parseDocs(ns names.Namespace, body []byte, wanted func(names.Doc) bool) (batch []docChange, bad error) {
	docs, _ := jsontext.Lookup(body, "docs")
	if docs.Kind() != jsontext.Array {
		return nil, fmt.Errorf("announcement without docs: %w", port.ErrMalformed)
	}
	jsontext.Each(docs, func(e jsontext.Value) bool {
		c, err := s.parseDoc(ns, e, wanted)
		if err != nil {
			bad = err
		} else {
			batch = append(batch, c)
		}
		return true
	})
	return batch, bad
}

func (s *Set) parseDoc(ns names.Namespace, e jsontext.Value, wanted func(names.Doc) bool) (docChange, error) {
	c := docChange{form: asUnknown}
	var delta jsontext.Value
	var err error
	jsontext.Members(e, func(key []byte, v jsontext.Value) bool {
		var text string
		switch string(key) {
		case "s":
			text, _ = jsontext.Unquote(v)
			var k names.Key
			k, err = names.ParseKey(text)
			c.doc = names.SharedOf(ns, k)
		case "p":
			text, _ = jsontext.Unquote(v)
			var u names.UserID
			u, err = names.ParseUserID(text)
			c.doc = names.PrivateOf(ns, u)
		case "seq":
			c.seq, err = strconv.ParseUint(string(v), 10, 64)
		case "prev":
			c.prev, err = strconv.ParseUint(string(v), 10, 64)
		case "gone":
			c.form = asGone
		case "d":
			delta = v
		}
		return err == nil
	})
	if err == nil && c.doc.Kind == 0 {
		err = fmt.Errorf("announcement of no document: %w", port.ErrMalformed)
	}
	if err != nil || delta == nil || !wanted(c.doc) {
		return c, err
	}
	if c.delta, err = parse(c.doc.Kind, delta, s.nowMs()+s.early); err != nil {
		return c, err
	}
	c.form = asDelta
	if c.seq == 0 && s.mesh == nil {
		c.form = asUpdate
	}
	return c, nil
}
