package config

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// problemKind is the class of a problem, as it is printed.
type problemKind string

const (
	parseError      problemKind = "Parse Error"
	preprocessError problemKind = "Preprocess Error"
	validationError problemKind = "Validation Error"
	decodeError     problemKind = "Decode error"
)

// Problem is one mistake in a file.
type Problem struct {
	Pos  Pos
	Kind problemKind
	// Path is the place in the structure: keys as ".key" in underscore spelling, items as "[index]".
	Path string
	Text string
}

// String is the line that tells the problem.
func (p Problem) String() string {
	switch {
	case p.Kind == decodeError:
		return fmt.Sprintf("%s: %s at %s: %s", p.Pos, p.Kind, p.Path, p.Text)
	case p.Path != "":
		return fmt.Sprintf("%s: %s: %s at %s", p.Pos, p.Kind, p.Text, p.Path)
	}
	return fmt.Sprintf("%s: %s: %s", p.Pos, p.Kind, p.Text)
}

// Error says why a configuration cannot be used. Its text is what the command line prints (configuration §2.11).
type Error struct {
	// Problems are the mistakes inside files; empty for the other classes of error.
	Problems []Problem
	// Sources are the files that were read before it came to the error, to see whether another try is worth it.
	Sources Sources

	text  string
	cause error
}

// Error returns one line, or "config error: " and one line per problem.
func (e *Error) Error() string {
	if len(e.Problems) == 0 {
		return e.text
	}
	var b strings.Builder
	b.WriteString("config error: ")
	for _, p := range e.Problems {
		b.WriteString(p.String())
		b.WriteByte('\n')
	}
	return b.String()
}

// Unwrap returns the operating system's error, if that is what it was.
func (e *Error) Unwrap() error { return e.cause }

func ioError(err error) *Error { return &Error{text: "IO error: " + err.Error(), cause: err} }

// checkError is a mistake that only shows when the parts are seen together. place may be the zero Pos.
func checkError(place Pos, format string, args ...any) *Error {
	text := fmt.Sprintf(format, args...)
	if place.File != "" {
		text += " (" + place.String() + ")"
	}
	return &Error{text: text}
}

// problems gathers mistakes: those of validation before those of decoding, each in the order found.
type problems struct {
	early, late []Problem
}

func (p *problems) add(kind problemKind, pos Pos, path, format string, args ...any) {
	x := Problem{Pos: pos, Kind: kind, Path: path, Text: fmt.Sprintf(format, args...)}
	if kind == decodeError {
		p.late = append(p.late, x)
	} else {
		p.early = append(p.early, x)
	}
}

// err returns what was gathered, from the top of each file to its end, or nil.
func (p *problems) err() *Error {
	if len(p.early)+len(p.late) == 0 {
		return nil
	}
	return &Error{Problems: append(byPlace(p.early), byPlace(p.late)...)}
}

// byPlace sorts a copy by place; files stay in the order in which they were read.
func byPlace(ps []Problem) []Problem {
	files := map[string]int{}
	for _, p := range ps {
		if _, ok := files[p.Pos.File]; !ok {
			files[p.Pos.File] = len(files)
		}
	}
	out := slices.Clone(ps)
	slices.SortStableFunc(out, func(a, b Problem) int {
		return cmp.Or(
			cmp.Compare(files[a.Pos.File], files[b.Pos.File]),
			cmp.Compare(a.Pos.Line, b.Pos.Line),
			cmp.Compare(a.Pos.Column, b.Pos.Column),
		)
	})
	return out
}
