package static

import (
	"math"
	"strconv"
	"strings"
)

// maxRanges bounds the parts of one answer; a request with more gets the whole file (RFC 9110 §14.2 allows to ignore
// it).
const maxRanges = 64

// rangeSpec is one range as it was asked for: from first to last, or the last `last` bytes when first is negative.
type rangeSpec struct{ first, last int64 }

// rangeRequest is a Range header that is written correctly. The zero value asks for the whole file.
type rangeRequest struct{ specs []rangeSpec }

// parseRange reads the Range headers of a request (RFC 9110 §14.1, §14.2). Another unit than bytes is not for us and
// has no effect; false says that a byte range is written wrongly, or that there is more than one header.
func parseRange(headers []string) (rangeRequest, bool) {
	if len(headers) == 0 {
		return rangeRequest{}, true
	}
	if len(headers) > 1 {
		return rangeRequest{}, false
	}
	unit, set, ok := strings.Cut(headers[0], "=")
	if !ok {
		return rangeRequest{}, false
	}
	if !strings.EqualFold(strings.Trim(unit, " \t"), "bytes") {
		return rangeRequest{}, isToken(strings.Trim(unit, " \t"))
	}
	var specs []rangeSpec
	for item := range strings.SplitSeq(set, ",") {
		item = strings.Trim(item, " \t")
		if item == "" {
			continue // an empty element of a list means nothing (RFC 9110 §5.6.1.2)
		}
		spec, ok := parseSpec(item)
		if !ok {
			return rangeRequest{}, false
		}
		if len(specs) <= maxRanges {
			specs = append(specs, spec)
		}
	}
	if len(specs) == 0 {
		return rangeRequest{}, false
	}
	if len(specs) > maxRanges {
		return rangeRequest{}, true
	}
	return rangeRequest{specs}, true
}

func parseSpec(item string) (rangeSpec, bool) {
	first, last, ok := strings.Cut(item, "-")
	if !ok {
		return rangeSpec{}, false
	}
	if first == "" {
		n, ok := parseOffset(last)
		return rangeSpec{-1, n}, ok
	}
	var spec rangeSpec
	if spec.first, ok = parseOffset(first); !ok {
		return rangeSpec{}, false
	}
	spec.last = math.MaxInt64
	if last != "" {
		if spec.last, ok = parseOffset(last); !ok {
			return rangeSpec{}, false
		}
	}
	return spec, spec.first <= spec.last
}

// parseOffset reads digits; what no file can be as large as becomes the largest number.
func parseOffset(s string) (int64, bool) {
	if s == "" {
		return 0, false
	}
	var n int64
	for _, c := range []byte(s) {
		if c < '0' || c > '9' {
			return 0, false
		}
		if n > (math.MaxInt64-9)/10 {
			n = math.MaxInt64 / 10
			continue
		}
		n = n*10 + int64(c-'0')
	}
	return n, true
}

func isToken(s string) bool {
	return s != "" && !strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r >= 0x7f || strings.ContainsRune(`"(),/:;<=>?@[\]{}`, r) })
}

// span is a part of a file: length bytes from start on.
type span struct{ start, length int64 }

// resolve works out what a range request means for a file. No spans and true: the whole file is to be sent. False: not
// one of the ranges lies in the file. A range that touches or overlaps the one before joins it; parts that would
// together be larger than the file are not worth it, then the whole file is sent.
func (q rangeRequest) resolve(size int64) ([]span, bool) {
	if len(q.specs) == 0 {
		return nil, true
	}
	var spans []span
	var total int64
	for _, spec := range q.specs {
		next, ok := spec.in(size)
		if !ok {
			continue
		}
		if n := len(spans); n > 0 {
			last := &spans[n-1]
			if next.start <= last.start+last.length && last.start <= next.start+next.length {
				end := max(last.start+last.length, next.start+next.length)
				total -= last.length
				last.start = min(last.start, next.start)
				last.length = end - last.start
				total += last.length
				continue
			}
		}
		spans = append(spans, next)
		total += next.length
	}
	if len(spans) > 1 && total > size {
		return nil, true
	}
	return spans, len(spans) > 0
}

// in returns the part of a file of a size that the range means; false when it lies outside.
func (s rangeSpec) in(size int64) (span, bool) {
	if s.first < 0 {
		n := min(s.last, size)
		return span{size - n, n}, s.last > 0
	}
	if s.first >= size {
		return span{}, false
	}
	return span{s.first, min(s.last, size-1) - s.first + 1}, true
}

// contentRange is the value of Content-Range for a part. A part of nothing, which only the last bytes of an empty file
// are, cannot be written as first and last byte.
func (p span) contentRange(size int64) string {
	b := append(make([]byte, 0, 64), "bytes "...)
	if p.length == 0 {
		b = append(b, '*')
	} else {
		b = strconv.AppendInt(b, p.start, 10)
		b = append(b, '-')
		b = strconv.AppendInt(b, p.start+p.length-1, 10)
	}
	b = append(b, '/')
	return string(strconv.AppendInt(b, size, 10))
}
