package unit

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
)

// ErrNumber says that a text is no number.
var ErrNumber = errors.New("invalid number")

// ParseInt reads an integer with optional sign, "_" separators, 0x/0o/0b prefix and one suffix out of k, ki, M, Mi, G,
// Gi, such as "100k" or "10Mi" (configuration §2.5), or Ki, which is ours: it is how people write it beside Mi. A
// leading zero does not mean octal.
func ParseInt(s string) (int64, error) {
	t, neg := s, false
	if t != "" && (t[0] == '+' || t[0] == '-') {
		neg = t[0] == '-'
		t = t[1:]
	}
	base := 10
	if len(t) > 2 && t[0] == '0' {
		switch t[1] {
		case 'x':
			base = 16
		case 'o':
			base = 8
		case 'b':
			base = 2
		}
		if base != 10 {
			t = t[2:]
		}
	}
	t, factor := suffix(t)
	if t == "" || t[0] == '_' || t[0] == '+' || t[0] == '-' {
		return 0, fmt.Errorf("%w %q", ErrNumber, s)
	}
	n, err := strconv.ParseUint(strings.ReplaceAll(t, "_", ""), base, 63)
	if err != nil || n > math.MaxInt64/factor {
		return 0, fmt.Errorf("%w %q", ErrNumber, s)
	}
	v := int64(n * factor)
	if neg {
		v = -v
	}
	return v, nil
}

// suffix cuts a magnitude suffix, with the white space before it, off the end of a number.
func suffix(t string) (string, uint64) {
	for _, u := range []struct {
		name   string
		factor uint64
	}{{"ki", 1 << 10}, {"Ki", 1 << 10}, {"Mi", 1 << 20}, {"Gi", 1 << 30}, {"k", 1000}, {"M", 1000_000}, {"G", 1000_000_000}} {
		if rest, ok := strings.CutSuffix(t, u.name); ok {
			return strings.TrimRight(rest, " \t\r\n"), u.factor
		}
	}
	return t, 1
}
