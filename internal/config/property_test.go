package config

import (
	"fmt"
	"net"
	"net/netip"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"

	"golang.org/x/tools/txtar"
	"pgregory.net/rapid"

	"github.com/swindon-go/swindon/gateway"
	"github.com/swindon-go/swindon/internal/unit"
)

// Both spellings of every numeric key of a session pool mean the same, whatever the value.
func TestSpellingsAgree(t *testing.T) {
	t.Parallel()
	fields := fieldsOf(reflect.TypeFor[gateway.Config]())
	rapid.Check(t, func(t *rapid.T) {
		f := rapid.SampledFrom(fields).Draw(t, "field")
		value := rapid.SampledFrom([]string{"0", "1", "10k", "1s", "true", "[a]", "null", "", "refuse", "x y"}).Draw(t, "value")
		text := "session-pools:\n  p:\n    %s: %s\n"
		a, errA := FromBytes("f", fmt.Appendf(nil, text, f.key, value))
		b, errB := FromBytes("f", fmt.Appendf(nil, text, f.name, value))
		if (errA == nil) != (errB == nil) || errA != nil && strings.ReplaceAll(errA.Error(), "-", "_") != strings.ReplaceAll(errB.Error(), "-", "_") {
			t.Fatalf("%v and %v", errA, errB)
		}
		if errA == nil && !Equal(a.Config, b.Config) {
			t.Fatal("they differ")
		}
	})
}

// The uppermost layer that gives a value wins.
func TestLayersAgainstDumbTwin(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		want := defaults().Edge.MaxConnections
		var file string
		var env []string
		flags := map[string]string{}
		value := rapid.IntRange(1, 1<<30)
		if rapid.Bool().Draw(t, "in file") {
			want = value.Draw(t, "file")
			file = fmt.Sprintf("%s: %d\n", rapid.SampledFrom([]string{"max-connections", "max_connections"}).Draw(t, "key"), want)
		}
		if rapid.Bool().Draw(t, "in environment") {
			want = value.Draw(t, "environment")
			env = []string{fmt.Sprintf("SWINDON__MAX_CONNECTIONS=%d", want)}
		}
		if rapid.Bool().Draw(t, "in flags") {
			want = value.Draw(t, "flags")
			flags["max-connections"] = fmt.Sprint(want)
		}
		l, err := newLoader("f", env, flags).load([]byte(file))
		if err != nil {
			t.Fatal(err)
		}
		if got := l.Config.Edge.MaxConnections; got != want {
			t.Fatalf("%d, want %d", got, want)
		}
	})
}

func TestDurationsRoundTrip(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		d := time.Duration(rapid.Int64Range(0, 1<<62).Draw(t, "ns"))
		if got, err := unit.ParseDuration(formatDuration(d)); err != nil || got != d {
			t.Fatalf("%v → %q → %v, %v", d, formatDuration(d), got, err)
		}
	})
}

// What parseAddress accepts can be split again and holds an IP address or a host name by the rule of configuration §2.8.
func TestAddresses(t *testing.T) {
	t.Parallel()
	name := regexp.MustCompile(`^([a-z0-9_]|[a-z0-9_][a-z0-9_-]*[a-z0-9_])(\.([a-z0-9_]|[a-z0-9_][a-z0-9_-]*[a-z0-9_]))*\.?$`)
	rapid.Check(t, func(t *rapid.T) {
		s := rapid.StringMatching(`([a-cA0-2_.:\[\]-]{0,8}|127\.0\.0\.1|\[::1\]|::1)(:[0-9]{0,6})?`).Draw(t, "address")
		got, err := parseAddress(s, 80)
		if err != nil || strings.HasPrefix(s, "_") {
			return
		}
		host, _, err := net.SplitHostPort(got)
		if err != nil {
			t.Fatalf("%q → %q: %v", s, got, err)
		}
		if _, err := netip.ParseAddr(host); err != nil && !name.MatchString(host) {
			t.Fatalf("%q → %q is no host", s, got)
		}
		if again, err := parseAddress(got, 1); err != nil || again != got {
			t.Fatalf("%q → %q → %q, %v", s, got, again, err)
		}
	})
}

func TestVersions(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]gateway.Compatibility{
		"v0.5.4": gateway.Old5, "0.6": gateway.Old5, "v0.6.0rc1": gateway.Old5, "v0.6.0": gateway.Old6, "v0.6.2": gateway.Old6,
		"0.6.10": gateway.Old6, "v0.7.0-beta.1": gateway.Old6, "v0.7": gateway.Old6, "v0.7.0": gateway.Latest,
		"v0.7.0+x": gateway.Latest, "0.10.0": gateway.Latest, "v1": gateway.Latest, "v0.07.00": gateway.Latest,
	} {
		if got, err := parseCompatibility(text); err != nil || got != want {
			t.Errorf("%s: %v, %v; want %v", text, got, err, want)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		v := rapid.StringMatching(`v?[0-9]{1,3}(\.[0-9]{1,3}|rc[0-9]|-beta){0,3}(\+x)?`)
		a, b, c := v.Draw(t, "a"), v.Draw(t, "b"), v.Draw(t, "c")
		if compareVersions(a, b) != -compareVersions(b, a) {
			t.Fatalf("%s and %s", a, b)
		}
		if compareVersions(a, b) <= 0 && compareVersions(b, c) <= 0 && compareVersions(a, c) > 0 {
			t.Fatalf("%s ≤ %s ≤ %s, but not the first ≤ the last", a, b, c)
		}
	})
}

// FuzzConfig looks for texts that panic, that take forever, or whose errors do not say where.
func FuzzConfig(f *testing.F) {
	f.Add([]byte(everyKey))
	files, err := filepath.Glob("testdata/mistakes/*.txtar")
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range files {
		a, err := txtar.ParseFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(a.Files[0].Data)
	}
	f.Chdir(f.TempDir()) // where includes find nothing
	place := regexp.MustCompile(`f:\d+:\d+`)
	f.Fuzz(func(t *testing.T, text []byte) {
		l, err := FromBytes("f", text)
		if err == nil {
			if again, err := FromBytes("f", text); err != nil || !Equal(again.Config, l.Config) {
				t.Errorf("a second time: %v", err)
			}
			return
		}
		if !place.MatchString(err.Error()) && !strings.HasPrefix(err.Error(), "IO error: ") {
			t.Errorf("no place in %q", err)
		}
	})
}
