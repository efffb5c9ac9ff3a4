package static

import (
	"slices"
	"strings"
)

// encoding is a form in which a file may lie precompressed beside the plain one.
type encoding struct {
	// name is the value of Content-Encoding; empty for the plain file.
	name string
	// suffix is what the file's name has more than the plain one's.
	suffix string
}

// maxEncodings bounds how many files are tried for one request; a client can name more.
const maxEncodings = 3

// encodings in the order of our preference.
var encodings = []encoding{{"br", ".br"}, {"gzip", ".gz"}, {"", ""}}

// accepted returns what is to be tried, best first, by the Accept-Encoding headers of a request. The plain file is
// always among it, last unless the client ranks it. Tokens are those of the three encodings; all else, "*" too, has no
// effect, and so has a token with a weight that is none.
func accepted(headers []string) []encoding {
	type ranked struct{ order, weight int }
	var found []ranked
	for _, header := range headers {
		for item := range strings.SplitSeq(header, ",") {
			order, weight := parseEncoding(item)
			if order >= 0 {
				found = append(found, ranked{order, weight})
			}
		}
	}
	if len(found) == 0 {
		return encodings[2:]
	}
	slices.SortStableFunc(found, func(a, b ranked) int {
		if a.weight != b.weight {
			return b.weight - a.weight
		}
		return a.order - b.order
	})
	out := make([]encoding, 0, maxEncodings+1)
	for _, f := range found {
		if f.weight > 0 && len(out) < maxEncodings {
			out = append(out, encodings[f.order])
		}
	}
	if !slices.Contains(out, encodings[2]) {
		out = append(out, encodings[2])
	}
	return out
}

// parseEncoding reads one item of Accept-Encoding: its place in encodings, or -1, and its weight in thousandths.
func parseEncoding(item string) (order, weight int) {
	token, params, has := strings.Cut(strings.Trim(item, " \t"), ";")
	switch strings.TrimRight(token, " \t") {
	case "br":
		order = 0
	case "gzip":
		order = 1
	case "identity":
		order = 2
	default:
		return -1, 0
	}
	if !has {
		return order, 1000
	}
	first, _, _ := strings.Cut(params, ";")
	q, ok := strings.CutPrefix(strings.Trim(first, " \t"), "q=")
	if !ok {
		return order, 1000
	}
	if weight, ok = parseWeight(q); !ok {
		return -1, 0
	}
	return order, weight
}

// parseWeight reads a weight of RFC 9110 §12.4.2: 0 to 1 with up to three decimals. It is in thousandths.
func parseWeight(q string) (int, bool) {
	if q == "" || q[0] != '0' && q[0] != '1' {
		return 0, false
	}
	weight := int(q[0]-'0') * 1000
	if len(q) == 1 {
		return weight, true
	}
	if q[1] != '.' || len(q) > 5 {
		return 0, false
	}
	unit := 100
	for _, c := range []byte(q[2:]) {
		if c < '0' || c > '9' {
			return 0, false
		}
		weight += int(c-'0') * unit
		unit /= 10
	}
	return weight, weight <= 1000
}
