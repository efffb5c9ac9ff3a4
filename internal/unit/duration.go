package unit

import (
	"errors"
	"fmt"
	"math"
	"time"
)

// ErrDuration says that a text is no duration.
var ErrDuration = errors.New("invalid duration")

var units = map[string]time.Duration{
	"ns": 1, "nsec": 1, "nanos": 1,
	"us": time.Microsecond, "usec": time.Microsecond,
	"ms": time.Millisecond, "msec": time.Millisecond, "millis": time.Millisecond,
	"s": time.Second, "sec": time.Second, "secs": time.Second, "second": time.Second, "seconds": time.Second,
	"m": time.Minute, "min": time.Minute, "mins": time.Minute, "minute": time.Minute, "minutes": time.Minute,
	"h": time.Hour, "hr": time.Hour, "hrs": time.Hour, "hour": time.Hour, "hours": time.Hour,
	"d": day, "day": day, "days": day,
	"w": 7 * day, "week": 7 * day, "weeks": 7 * day,
	"M": month, "month": month, "months": month,
	"y": year, "year": year, "years": year,
}

const (
	day   = 24 * time.Hour
	month = 2630016 * time.Second
	year  = 31557600 * time.Second
)

// ParseDuration reads groups of an integer and a unit, such as "1h 12m 35sec" or "300 ms" (configuration §2.6). Units
// are mandatory and case-sensitive: M is a month, m a minute. White space may stand between groups, between number
// and unit, and inside the digits of one number. Sums that do not fit a time.Duration are refused.
func ParseDuration(s string) (time.Duration, error) {
	var total time.Duration
	i, groups := 0, 0
	for {
		i = skipSpace(s, i)
		if i == len(s) {
			break
		}
		n, next, err := digits(s, i)
		if err != nil {
			return 0, err
		}
		start := next
		for next < len(s) && (s[next] >= 'a' && s[next] <= 'z' || s[next] >= 'A' && s[next] <= 'Z') {
			next++
		}
		u, ok := units[s[start:next]]
		if !ok {
			if start == next {
				return 0, fmt.Errorf("%w %q: time unit needed, for example %ds or %dms", ErrDuration, s, n, n)
			}
			return 0, fmt.Errorf("%w %q: unknown time unit %q", ErrDuration, s, s[start:next])
		}
		if n > uint64(math.MaxInt64/u) || time.Duration(n)*u > math.MaxInt64-total {
			return 0, fmt.Errorf("%w %q: too large", ErrDuration, s)
		}
		total += time.Duration(n) * u
		i = next
		groups++
	}
	if groups == 0 {
		return 0, fmt.Errorf("%w: empty", ErrDuration)
	}
	return total, nil
}

// digits reads a number at i; white space may stand inside and after it.
func digits(s string, i int) (n uint64, next int, err error) {
	start := i
	for i < len(s) {
		c := s[i]
		if isSpace(c) {
			i++
			continue
		}
		if c < '0' || c > '9' {
			break
		}
		if n > (math.MaxUint64-9)/10 {
			return 0, i, fmt.Errorf("%w %q: number too large", ErrDuration, s)
		}
		n = n*10 + uint64(c-'0')
		i++
	}
	if i == start {
		return 0, i, fmt.Errorf("%w %q: expected a number at offset %d", ErrDuration, s, i)
	}
	return n, i, nil
}

func isSpace(c byte) bool { return c == ' ' || c == '\t' || c == '\n' || c == '\r' }

func skipSpace(s string, i int) int {
	for i < len(s) && isSpace(s[i]) {
		i++
	}
	return i
}
