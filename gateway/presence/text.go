package presence

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unique"

	"github.com/swindon-go/swindon/internal/jsontext"
	"github.com/swindon-go/swindon/internal/names"
	"github.com/swindon-go/swindon/internal/port"
)

const (
	// maxSeats bounds the nodes in a record that is read.
	maxSeats = 4096
	// maxNumber bounds the numbers in a record, so that adding to them cannot overflow.
	maxNumber = 1 << 60
	maxID     = 256
)

// AppendText appends the record as it stands in the store:
//
//	{"s":"active","v":1700000000000,"u":1700000060000,"c":{"NODE":[1,1700000000000]},"n":[…],"k":0,"g":0}
//
// s and v are the status, u the deadline, c the seats (connections or not, version), n the notice (period, state, turn,
// lease, since, owner, id), k until when private documents are kept, g the stamp of the last purge. What is zero is
// left out.
func (r *Record) AppendText(dst []byte) []byte {
	dst = append(append(append(dst, `{"s":"`...), r.State.String()...), `","v":`...)
	dst = strconv.AppendInt(dst, r.Version, 10)
	dst = appendMember(dst, `,"u":`, r.Until)
	if len(r.Seats) > 0 {
		dst = append(dst, `,"c":{`...)
		for i, s := range r.Seats {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = append(append(append(dst, '"'), s.Node...), `":[0,`...)
			if s.Here {
				dst[len(dst)-2] = '1'
			}
			dst = append(strconv.AppendInt(dst, s.Version, 10), ']')
		}
		dst = append(dst, '}')
	}
	if n := &r.Notice; n.State != NoticeNone {
		dst = append(dst, `,"n":[`...)
		for _, v := range []int64{n.Period, int64(n.State), n.Turn, n.Lease, n.Since} {
			dst = append(strconv.AppendInt(dst, v, 10), ',')
		}
		dst = append(append(append(dst, '"'), n.Owner...), `",`...)
		dst = append(jsontext.AppendQuoted(dst, n.ID), ']')
	}
	dst = appendMember(dst, `,"k":`, r.Touched)
	dst = appendMember(dst, `,"g":`, r.Purged)
	return append(dst, '}')
}

func appendMember(dst []byte, name string, v int64) []byte {
	if v == 0 {
		return dst
	}
	return strconv.AppendInt(append(dst, name...), v, 10)
}

// Parse reads a record; nothing at all is the record of an unknown user. Members that are not known are passed over.
// It fails with port.ErrMalformed; it keeps nothing of data.
func Parse(data []byte) (Record, error) {
	var r Record
	if len(data) == 0 {
		return r, nil
	}
	if err := jsontext.Check(data); err != nil {
		return r, fmt.Errorf("user record: %w: %w", port.ErrMalformed, err)
	}
	ok := jsontext.Value(data).Kind() == jsontext.Object
	jsontext.Members(data, func(key []byte, v jsontext.Value) bool {
		switch string(key) {
		case "s":
			r.State, ok = parseState(v)
		case "v":
			r.Version, ok = parseNumber(v)
		case "u":
			r.Until, ok = parseNumber(v)
		case "c":
			r.Seats, ok = parseSeats(v)
		case "n":
			r.Notice, ok = parseNotice(v)
		case "k":
			r.Touched, ok = parseNumber(v)
		case "g":
			r.Purged, ok = parseNumber(v)
		}
		return ok
	})
	if !ok {
		return Record{}, fmt.Errorf("user record %.100q: %w", data, port.ErrMalformed)
	}
	return r, nil
}

func parseNumber(v jsontext.Value) (int64, bool) {
	n, ok := jsontext.Uint64(v)
	return int64(n), ok && n <= maxNumber
}

func parseState(v jsontext.Value) (State, bool) {
	s, _ := jsontext.Unquote(v)
	i := slices.Index(stateNames[:], s)
	return State(max(i, 0)), i >= 0
}

// parseNode reads a node id. Few are in use at a time, so that one copy of each is kept for all records.
func parseNode(s string) (names.NodeID, bool) {
	n, err := names.ParseNodeID(s)
	return unique.Make(n).Value(), err == nil
}

func parseSeats(v jsontext.Value) (seats []Seat, ok bool) {
	ok = v.Kind() == jsontext.Object
	var parts [2]jsontext.Value
	jsontext.Members(v, func(key []byte, v jsontext.Value) bool {
		var s Seat
		p := jsontext.Elements(parts[:0], v)
		if s.Node, ok = parseNode(string(key)); !ok || len(p) != 2 || len(seats) >= maxSeats {
			ok = false
			return false
		}
		s.Here = string(p[0]) == "1"
		s.Version, ok = parseNumber(p[1])
		seats = append(seats, s)
		return ok
	})
	slices.SortFunc(seats, func(a, b Seat) int { return strings.Compare(string(a.Node), string(b.Node)) })
	twice := false
	for i := 1; i < len(seats); i++ {
		twice = twice || seats[i].Node == seats[i-1].Node
	}
	return seats, ok && !twice
}

func parseNotice(v jsontext.Value) (n Notice, ok bool) {
	p := jsontext.Elements(nil, v)
	if len(p) != 7 {
		return n, false
	}
	var num [5]int64
	for i := range num {
		if num[i], ok = parseNumber(p[i]); !ok {
			return n, false
		}
	}
	if num[1] < int64(NoticeDue) || num[1] > int64(NoticeSent) {
		return n, false
	}
	n = Notice{Period: num[0], State: NoticeState(num[1]), Turn: num[2], Lease: num[3], Since: num[4]}
	owner, isText := jsontext.Unquote(p[5])
	if owner != "" {
		n.Owner, ok = parseNode(owner)
	}
	n.ID, isText = unquoteAlso(p[6], isText)
	return n, ok && isText && len(n.ID) <= maxID
}

func unquoteAlso(v jsontext.Value, ok bool) (string, bool) {
	s, isText := jsontext.Unquote(v)
	return s, ok && isText
}

// JoinRecords is Join on texts. A text that is no record counts as nothing; two of them yield nil.
func JoinRecords(a, b []byte) []byte {
	x, errX := Parse(a)
	y, errY := Parse(b)
	switch {
	case (errX != nil || len(a) == 0) && (errY != nil || len(b) == 0):
		return nil
	case errX != nil || len(a) == 0:
		return b
	case errY != nil || len(b) == 0:
		return a
	}
	r := Join(x, y)
	return r.AppendText(nil)
}
