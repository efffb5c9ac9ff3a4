package edge

import (
	"errors"
	"fmt"
	"strings"
)

// ErrLogFormat says that a template of a log format cannot be read.
var ErrLogFormat = errors.New("bad log format")

// DefaultLogFormat is the template of debug-log when the configuration has none.
const DefaultLogFormat = `{{ request.client_ip }} {{ request.host }} "{{ request.method }} {{ request.path }} {{ request.version }}" {{ response.status_code }}`

// ParseLogFormat reads a template: text with {{ expression }} in it, where an expression is a variable, a quoted text or
// a number. White space collapses to single blanks, since a record is one line. Statements ("## if …") are not
// supported (decision D42). An unknown variable is no error here; lines with one are not written.
func ParseLogFormat(template string) (LogFormat, error) {
	text, err := oneLine(template)
	if err != nil {
		return nil, err
	}
	var f LogFormat
	for text != "" {
		i := strings.Index(text, "{{")
		if i < 0 {
			f = f.text(text)
			break
		}
		f = f.text(text[:i])
		part, rest, err := expression(text[i+2:])
		if err != nil {
			return nil, err
		}
		if part.Variable == "" {
			f = f.text(part.Text)
		} else {
			f = append(f, part)
		}
		text = rest
	}
	return f, nil
}

// text appends literal text, to the part before if that is text, too.
func (f LogFormat) text(s string) LogFormat {
	if s == "" {
		return f
	}
	if n := len(f); n > 0 && f[n-1].Variable == "" {
		f[n-1].Text += s
		return f
	}
	return append(f, LogPart{Text: s})
}

// oneLine drops comments and collapses white space.
func oneLine(template string) (string, error) {
	var lines []string
	n := 0
	for line := range strings.Lines(template) {
		n++
		trimmed := strings.TrimSpace(line)
		switch {
		case strings.HasPrefix(trimmed, "###"):
			continue
		case strings.HasPrefix(trimmed, "##"):
			if n == 1 && strings.Join(strings.Fields(trimmed[2:]), " ") == "syntax: oneline" {
				continue
			}
			return "", fmt.Errorf("%w: line %d: statements are not supported, only variables and literals: %q", ErrLogFormat, n, trimmed)
		}
		lines = append(lines, line)
	}
	return strings.Join(strings.Fields(strings.Join(lines, " ")), " "), nil
}

// expression reads what follows "{{", and returns what follows "}}".
func expression(s string) (part LogPart, rest string, err error) {
	s = strings.TrimLeft(s, " ")
	i := 0
	switch {
	case s != "" && (s[0] == '"' || s[0] == '\''):
		end := strings.IndexByte(s[1:], s[0])
		if end < 0 {
			return part, "", fmt.Errorf("%w: a quote is not closed", ErrLogFormat)
		}
		part.Text = s[1 : 1+end]
		i = end + 2
	default:
		for i < len(s) && word(s[i]) {
			i++
		}
		if part.Text = s[:i]; strings.Trim(part.Text, "0123456789") != "" {
			part = LogPart{Variable: LogVariable(s[:i])}
		}
	}
	rest, ok := strings.CutPrefix(strings.TrimLeft(s[i:], " "), "}}")
	switch {
	case !ok && !strings.Contains(s, "}}"):
		return part, "", fmt.Errorf("%w: {{ is not closed", ErrLogFormat)
	case !ok || i == 0:
		expr, _, _ := strings.Cut(s, "}}")
		return part, "", fmt.Errorf("%w: only variables and literals may stand in {{ }}: %q", ErrLogFormat, strings.TrimSpace(expr))
	}
	return part, rest, nil
}

func word(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_' || c == '.'
}
