package config

import (
	"errors"
	"fmt"
	"strings"

	"github.com/swindon-go/swindon/internal/edge"
)

// requestLog is the name of the log format that is used.
const requestLog = "debug-log"

// defaultRequestLog is that format unless the configuration defines it (configuration §9.1).
const defaultRequestLog = `{{ request.client_ip }} {{ request.host }} ` +
	`"{{ request.method }} {{ request.path }} {{ request.version }}" {{ response.status_code }}`

var errStatement = errors.New("log templates know variables and literals; statements are not supported")

var logVariables = map[edge.LogVariable]bool{
	edge.LogClientIP: true, edge.LogHost: true, edge.LogMethod: true, edge.LogPath: true, edge.LogVersion: true,
	edge.LogStatusCode: true,
}

// parseLogFormat reads a template: text with {{ variable }} or {{ "literal" }} in it (decision D42). White space
// collapses to single blanks.
func parseLogFormat(s string) (edge.LogFormat, error) {
	for line := range strings.Lines(s) {
		if strings.HasPrefix(strings.TrimSpace(line), "##") {
			return nil, errStatement
		}
	}
	f := edge.LogFormat{}
	rest := strings.Join(strings.Fields(s), " ")
	for {
		text, after, found := strings.Cut(rest, "{{")
		f = addText(f, text)
		if !found {
			return f, nil
		}
		expr, tail, closed := strings.Cut(after, "}}")
		if !closed {
			return nil, errors.New(`"{{" without "}}" in log template`)
		}
		part, err := parseLogExpression(strings.TrimSpace(expr))
		if err != nil {
			return nil, err
		}
		if part.Variable == "" {
			f = addText(f, part.Text)
		} else {
			f = append(f, part)
		}
		rest = tail
	}
}

// addText appends literal text, to the literal before it if there is one.
func addText(f edge.LogFormat, text string) edge.LogFormat {
	switch last := len(f) - 1; {
	case text == "":
	case last >= 0 && f[last].Variable == "":
		f[last].Text += text
	default:
		f = append(f, edge.LogPart{Text: text})
	}
	return f
}

func parseLogExpression(expr string) (edge.LogPart, error) {
	if n := len(expr); n >= 2 && (expr[0] == '"' || expr[0] == '\'') && expr[n-1] == expr[0] {
		return edge.LogPart{Text: expr[1 : n-1]}, nil
	}
	if v := edge.LogVariable(expr); logVariables[v] {
		return edge.LogPart{Variable: v}, nil
	}
	return edge.LogPart{}, fmt.Errorf("unknown variable %q in log template", expr)
}
