package jsontext

import (
	"math"
	"strconv"
)

// checkNumber reads a number at i, which is a digit or a minus sign.
func checkNumber(data []byte, i int) (int, failure) {
	start := i
	if data[i] == '-' {
		i++
		if i >= len(data) {
			return i, fail(msgEOFValue, data, i)
		}
		if data[i] < '0' || data[i] > '9' {
			return i, fail(msgNumber, data, i)
		}
	}
	if data[i] == '0' {
		i++
		if i < len(data) && '0' <= data[i] && data[i] <= '9' {
			return i, fail(msgNumber, data, i)
		}
	} else {
		i = skipDigits(data, i)
	}
	// 308 digits without exponent are below the largest float64.
	large := i-start > 308
	if i < len(data) && data[i] == '.' {
		i++
		end := skipDigits(data, i)
		if end == i {
			return i, failNumber(data, i)
		}
		i = end
	}
	if i < len(data) && (data[i] == 'e' || data[i] == 'E') {
		large = true
		i++
		if i < len(data) && (data[i] == '+' || data[i] == '-') {
			i++
		}
		end := skipDigits(data, i)
		if end == i {
			return i, failNumber(data, i)
		}
		i = end
	}
	if large && !finite(data[start:i]) {
		return i, failure{msgRange, i}
	}
	return i, failure{}
}

// failNumber complains that a digit is missing at i.
func failNumber(data []byte, i int) failure {
	if i >= len(data) {
		return fail(msgEOFValue, data, i)
	}
	return fail(msgNumber, data, i)
}

func skipDigits(data []byte, i int) int {
	for i < len(data) && '0' <= data[i] && data[i] <= '9' {
		i++
	}
	return i
}

// finite tells whether a number that is written correctly fits a float64; what is too small counts as zero.
func finite(raw []byte) bool {
	f, _ := strconv.ParseFloat(string(raw), 64)
	return !math.IsInf(f, 0)
}

// Uint64 returns the value of a number that is a plain non-negative integer: digits only, no sign, fraction or
// exponent, at most 2^64-1.
func Uint64(raw []byte) (uint64, bool) {
	if len(raw) == 0 || len(raw) > 20 || raw[0] == '0' && len(raw) > 1 {
		return 0, false
	}
	var n uint64
	for _, c := range raw {
		d := uint64(c - '0')
		if d > 9 || n > (math.MaxUint64-d)/10 {
			return 0, false
		}
		n = n*10 + d
	}
	return n, true
}
