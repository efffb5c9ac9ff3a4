package unit

import (
	"errors"
	"fmt"
	"math"
	"math/big"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestParseDuration(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]time.Duration{
		"0s": 0, "5s": 5 * time.Second, "300 ms": 300 * time.Millisecond, "1h 12m 35sec": time.Hour + 12*time.Minute + 35*time.Second,
		"1hour12min": 72 * time.Minute, "4 sec": 4 * time.Second, "30 secs": 30 * time.Second, "1 hour": time.Hour, "1 h 1 h": 2 * time.Hour,
		" 5 s ": 5 * time.Second, "1 0 s": 10 * time.Second, "1\t0\n0 ms": 100 * time.Millisecond, "007s": 7 * time.Second, "1s1ns": time.Second + 1,
		"1M1m": month + time.Minute, "1m 1M": month + time.Minute, "292y": 292 * year, "9223372036854775807ns": math.MaxInt64,
	} {
		if got, err := ParseDuration(in); err != nil || got != want {
			t.Errorf("ParseDuration(%q) = %v %v, want %v", in, got, err, want)
		}
	}
}

// spellings are all units with their length (configuration §2.6), written down once more.
var spellings = map[time.Duration]string{
	time.Nanosecond: "ns nsec nanos", time.Microsecond: "us usec", time.Millisecond: "ms msec millis", time.Second: "s sec secs second seconds",
	time.Minute: "m min mins minute minutes", time.Hour: "h hr hrs hour hours", 24 * time.Hour: "d day days", 7 * 24 * time.Hour: "w week weeks",
	2630016 * time.Second: "M month months", 31557600 * time.Second: "y year years",
}

func TestDurationUnits(t *testing.T) {
	t.Parallel()
	n := 0
	for want, names := range spellings {
		for name := range strings.FieldsSeq(names) {
			n++
			if got, err := ParseDuration("3" + name); err != nil || got != 3*want {
				t.Errorf("3%s = %v %v, want %v", name, got, err, 3*want)
			}
			if got, err := ParseDuration("3" + strings.ToUpper(name)); err == nil && strings.ToUpper(name) != "M" {
				t.Errorf("3%s = %v, want an error: units are case-sensitive", strings.ToUpper(name), got)
			}
		}
	}
	if n != len(units) {
		t.Errorf("%d units tested, there are %d", n, len(units))
	}
}

func TestParseDurationRefuses(t *testing.T) {
	t.Parallel()
	for _, in := range []string{
		"", " ", "5", "0", "s", "1.5s", "-1s", "+1s", "5 parsecs", "1h5", "1h,5m", "5s!", "5µs", "1_000s", "0x5s", "1e3s", "5 S", "five s", "5s s", "5ss",
		"18446744073709551616ns", "99999999999999999999999s", "300y", "292y 200d", "9223372036854775807ns 1ns", "\x005s", "5\x00s", "５s",
	} {
		got, err := ParseDuration(in)
		if !errors.Is(err, ErrDuration) {
			t.Errorf("ParseDuration(%q) = %v %v, want ErrDuration", in, got, err)
		}
	}
}

// TestDurationSum draws groups, and adds them up with numbers that cannot overflow.
func TestDurationSum(t *testing.T) {
	t.Parallel()
	var names []string
	for name := range units {
		names = append(names, name)
	}
	space := rapid.StringMatching(`[ \t\n\r]{0,2}`)
	rapid.Check(t, func(t *rapid.T) {
		var text strings.Builder
		want := new(big.Int)
		for range rapid.IntRange(1, 4).Draw(t, "groups") {
			n := rapid.Uint64Max(1<<40).Draw(t, "n")
			name := rapid.SampledFrom(names).Draw(t, "unit")
			fmt.Fprintf(&text, "%s%d%s%s%s", space.Draw(t, "before"), n, space.Draw(t, "between"), name, space.Draw(t, "after"))
			group := new(big.Int).Mul(new(big.Int).SetUint64(n), big.NewInt(int64(units[name])))
			want.Add(want, group)
		}
		got, err := ParseDuration(text.String())
		if want.IsInt64() != (err == nil) || err == nil && int64(got) != want.Int64() {
			t.Fatalf("ParseDuration(%q) = %d %v, want %v", text.String(), got, err, want)
		}
	})
}

func FuzzParseDuration(f *testing.F) {
	for _, s := range []string{"1h 12m 35sec", "300 ms", "5", "9223372036854775807ns", "1 0 0 s", "300y"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		d, err := ParseDuration(s)
		if err != nil {
			if !errors.Is(err, ErrDuration) {
				t.Fatalf("ParseDuration(%q): %v", s, err)
			}
			return
		}
		if d < 0 {
			t.Fatalf("ParseDuration(%q) = %d", s, d)
		}
		if again, err := ParseDuration(fmt.Sprintf("%d ns", d)); err != nil || again != d {
			t.Fatalf("ParseDuration(%q) = %d, but in nanoseconds %d %v", s, d, again, err)
		}
	})
}
