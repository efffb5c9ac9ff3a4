package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// parseYAML reads the one document of a file. It is nil when the file is empty. Positions in problems name file.
func parseYAML(text []byte, file string, p *problems) (doc *yaml.Node) {
	var n yaml.Node
	dec := yaml.NewDecoder(bytes.NewReader(text))
	err := dec.Decode(&n)
	if errors.Is(err, io.EOF) {
		return nil
	}
	if err != nil {
		pos, msg := syntaxError(err, text, file)
		p.add(parseError, pos, "", "%s", msg)
		return nil
	}
	var second yaml.Node
	switch err := dec.Decode(&second); {
	case errors.Is(err, io.EOF):
	case err != nil:
		pos, msg := syntaxError(err, text, file)
		p.add(parseError, pos, "", "%s", msg)
		return nil
	default:
		p.add(parseError, Pos{file, max(second.Line, 1), max(second.Column, 1)}, "", "only one document is expected")
		return nil
	}
	if n.Kind != yaml.DocumentNode || len(n.Content) != 1 {
		return nil
	}
	return n.Content[0]
}

var (
	yamlLine   = regexp.MustCompile(`^line (\d+): `)
	yamlAnchor = regexp.MustCompile(`^unknown anchor '(.*)' referenced$`)
)

// syntaxError finds the place of a message of the YAML library, which tells the line at most.
func syntaxError(err error, text []byte, file string) (Pos, string) {
	msg := strings.TrimPrefix(err.Error(), "yaml: ")
	if m := yamlAnchor.FindStringSubmatch(msg); m != nil {
		return posOfText(text, "*"+m[1], file), fmt.Sprintf("Unknown alias %q", m[1])
	}
	line := 1
	if m := yamlLine.FindStringSubmatch(msg); m != nil {
		line, _ = strconv.Atoi(m[1])
		msg = msg[len(m[0]):]
	}
	lines := bytes.Split(text, []byte("\n"))
	column := 1
	if line <= len(lines) {
		l := lines[line-1]
		column += len(l) - len(bytes.TrimLeft(l, " \t"))
	}
	return Pos{file, line, column}, msg
}

// posOfText is where a word first stands in a file.
func posOfText(text []byte, word, file string) Pos {
	at := max(bytes.Index(text, []byte(word)), 0)
	line := bytes.Count(text[:at], []byte("\n")) + 1
	return Pos{file, line, at - bytes.LastIndexByte(text[:at], '\n')}
}
