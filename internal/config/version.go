package config

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/swindon-go/swindon/gateway"
)

// parseCompatibility reads a version of the original and returns the level of behaviour that it stands for (protocol
// §2.1).
func parseCompatibility(s string) (gateway.Compatibility, error) {
	if strings.TrimPrefix(strings.TrimSpace(s), "v") == "" {
		return 0, fmt.Errorf("invalid version %q, a text such as v0.7.0 is expected", s)
	}
	switch {
	case compareVersions(s, "v0.6.0") < 0:
		return gateway.Old5, nil
	case compareVersions(s, "v0.7.0") < 0:
		return gateway.Old6, nil
	}
	return gateway.Latest, nil
}

// compareVersions compares component by component: numbers as numbers, a missing one before a number, and tags such as
// "beta" before the release. What follows a "+" does not count.
func compareVersions(a, b string) int {
	x, y := components(a), components(b)
	for i := range max(len(x), len(y)) {
		if c := compareComponents(at(x, i), at(y, i)); c != 0 {
			return c
		}
	}
	return 0
}

func at(parts []string, i int) string {
	if i < len(parts) {
		return parts[i]
	}
	return ""
}

// components cuts a version at dots and dashes and between digits and letters: "0.7.0rc1" is 0, 7, 0, rc, 1.
func components(s string) []string {
	s = strings.TrimPrefix(strings.TrimSpace(s), "v")
	s, _, _ = strings.Cut(s, "+")
	var out []string
	start := 0
	for i := 0; i <= len(s); i++ {
		boundary := i == len(s) || s[i] == '.' || s[i] == '-'
		if !boundary && (i == start || isDigit(s[i]) == isDigit(s[i-1])) {
			continue
		}
		if i > start {
			out = append(out, s[start:i])
		}
		start = i
		if boundary {
			start = i + 1
		}
	}
	return out
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

// compareComponents orders tags before nothing, and nothing before numbers.
func compareComponents(a, b string) int {
	if c := cmp.Compare(rank(a), rank(b)); c != 0 {
		return c
	}
	if rank(a) != rankNumber {
		return cmp.Compare(a, b)
	}
	a, b = strings.TrimLeft(a, "0"), strings.TrimLeft(b, "0")
	if c := cmp.Compare(len(a), len(b)); c != 0 {
		return c
	}
	return cmp.Compare(a, b)
}

const (
	rankTag = iota
	rankNothing
	rankNumber
)

func rank(s string) int {
	switch {
	case s == "":
		return rankNothing
	case isDigit(s[0]):
		return rankNumber
	}
	return rankTag
}
