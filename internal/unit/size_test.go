package unit

import (
	"errors"
	"math"
	"math/big"
	"strconv"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestParseInt(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]int64{
		"0": 0, "7": 7, "+7": 7, "-7": -7, "100k": 100_000, "100 k": 100_000, "1_024": 1024, "1_0_2_4_": 1024, "10Mi": 10 << 20, "0x10ki": 16 << 10,
		"0xff": 255, "0xFF": 255, "0o17": 15, "0b101": 5, "0755": 755, "00": 0, "1ki": 1024, "2M": 2_000_000, "3G": 3_000_000_000, "4Gi": 4 << 30,
		"-1k": -1000, "5\tMi": 5 << 20, "9223372036854775807": math.MaxInt64, "-9223372036854775807": -math.MaxInt64, "8589934591Gi": 8589934591 << 30,
		"0b1k": 1000, "0x1G": 1_000_000_000,
	} {
		if got, err := ParseInt(in); err != nil || got != want {
			t.Errorf("ParseInt(%q) = %d %v, want %d", in, got, err, want)
		}
	}
}

func TestParseIntRefuses(t *testing.T) {
	t.Parallel()
	for _, in := range []string{
		"", " ", "k", "-", "+", "--1", "+-1", "_1", "-_1", "0x", "0o", "0b", "0x_1", "0xg", "0o8", "0b2", "10MiB", "10MB", "10K", "1.5M", "1e3", "10KI", "10mi",
		"1kk", "1k k", "1 2", " 1", "1 ", "1\x00", "١", "0X10", "9223372036854775808", "9223372036854775807k", "8589934592Gi", "99999999999999999999", "true", "1k5",
	} {
		got, err := ParseInt(in)
		if !errors.Is(err, ErrNumber) {
			t.Errorf("ParseInt(%q) = %d %v, want ErrNumber", in, got, err)
		}
	}
}

// TestIntProduct draws numbers in all forms, and multiplies with numbers that cannot overflow.
func TestIntProduct(t *testing.T) {
	t.Parallel()
	factors := map[string]int64{"": 1, "k": 1000, "ki": 1 << 10, "M": 1_000_000, "Mi": 1 << 20, "G": 1_000_000_000, "Gi": 1 << 30, "Ki": 1 << 10}
	bases := map[string]int{"": 10, "0x": 16, "0o": 8, "0b": 2}
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.Uint64().Draw(t, "n") >> rapid.IntRange(0, 63).Draw(t, "shift")
		suffix := rapid.SampledFrom([]string{"", "k", "ki", "Ki", "M", "Mi", "G", "Gi"}).Draw(t, "suffix")
		prefix := rapid.SampledFrom([]string{"", "0x", "0o", "0b"}).Draw(t, "prefix")
		sign := rapid.SampledFrom([]string{"", "+", "-"}).Draw(t, "sign")
		digits := strconv.FormatUint(n, bases[prefix])
		if at := rapid.IntRange(0, len(digits)).Draw(t, "separator"); at > 0 {
			digits = digits[:at] + "_" + digits[at:]
		}
		space := ""
		if suffix != "" {
			space = rapid.SampledFrom([]string{"", " ", "\t "}).Draw(t, "space")
		}
		want := new(big.Int).Mul(new(big.Int).SetUint64(n), big.NewInt(factors[suffix]))
		fits := want.IsInt64()
		if sign == "-" {
			want.Neg(want)
		}
		text := sign + prefix + digits + space + suffix
		got, err := ParseInt(text)
		if fits != (err == nil) || err == nil && got != want.Int64() {
			t.Fatalf("ParseInt(%q) = %d %v, want %v", text, got, err, want)
		}
	})
}

func FuzzParseInt(f *testing.F) {
	for _, s := range []string{"100k", "0x10ki", "1_024", "-5", "9223372036854775807", "10MiB"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		n, err := ParseInt(s)
		if err != nil {
			if !errors.Is(err, ErrNumber) {
				t.Fatalf("ParseInt(%q): %v", s, err)
			}
			return
		}
		if strings.HasPrefix(s, "-") && n > 0 || !strings.HasPrefix(s, "-") && n < 0 {
			t.Fatalf("ParseInt(%q) = %d", s, n)
		}
		if again, err := ParseInt(strconv.FormatInt(n, 10)); err != nil || again != n {
			t.Fatalf("ParseInt(%q) = %d, read again %d %v", s, n, again, err)
		}
	})
}
