package config

import (
	"maps"
	"reflect"

	"go.yaml.in/yaml/v3"
)

// Warning is something that does not keep a configuration from being used.
type Warning struct {
	// Module is the name under which the original logs it.
	Module string
	Text   string
	// AtRun marks a warning that is for the running process only: --check-config stays silent about it.
	AtRun bool
}

// Loaded is a configuration with what is known about where it came from.
type Loaded struct {
	Config   *Config
	Warnings []Warning
	// Sources are the files that took part, to see when they change.
	Sources Sources
	// Fingerprint is 128 hexadecimal digits over the content of the files (configuration §2.12).
	Fingerprint string
}

// Load reads the file at path and what it includes and mixes in. Values out of environ ("SWINDON__A__B__KEY=text",
// decision D39) replace those of the files, flags (by path, such as "nats.listen") replace both. The error is an *Error.
func Load(path string, environ []string, flags map[string]string) (*Loaded, error) {
	l := newLoader(path, environ, flags)
	text, err := l.files.read(path, "<main>")
	if err != nil {
		e := ioError(err)
		e.Sources = l.files.sources
		return nil, e
	}
	return l.load(text)
}

// FromBytes reads a text that no file holds; name stands for the file in messages. The fingerprint is that of no input.
func FromBytes(name string, text []byte) (*Loaded, error) {
	return newLoader(name, nil, nil).load(text)
}

// loader carries one configuration from text to Config.
type loader struct {
	path       string
	env, flags []*setting
	files      *files
	expander   *expander
	decoder    *decoder
	warnings   []Warning
}

func newLoader(path string, environ []string, flags map[string]string) *loader {
	f := newFiles()
	d := newDecoder()
	return &loader{
		path: path, env: environment(environ), flags: flagSettings(flags),
		files: f, decoder: d, expander: &expander{files: f, problems: d.problems},
	}
}

func (l *loader) load(text []byte) (*Loaded, error) {
	c, err := l.config(text)
	if err != nil {
		err.Sources = l.files.sources
		return nil, err
	}
	return &Loaded{
		Config:      c,
		Warnings:    append(append(l.warnings, l.decoder.warnings...), unusedWarnings(l.env)...),
		Sources:     l.files.sources,
		Fingerprint: l.files.fingerprint(),
	}, nil
}

// config goes through the steps of configuration §2.11; the first that fails ends it.
func (l *loader) config(text []byte) (*Config, *Error) {
	c := defaults()
	tree, err := l.document(text, l.path, reflect.ValueOf(&c).Elem(), defaultsTree(reflect.ValueOf(c)))
	if err != nil {
		return nil, err
	}
	c.HasNATS = tree.hasNATS
	if err := l.mixins(&c); err != nil {
		return nil, err
	}
	for _, s := range l.flags {
		if s.used == "" {
			return nil, checkError(Pos{}, "%s means no key of the configuration", s.name)
		}
	}
	c.insertDefaults()
	if err := l.checkRouting(&c); err != nil {
		return nil, err
	}
	if err := l.checkAll(&c); err != nil {
		return nil, err
	}
	return &c, nil
}

// outline is what is known about a document besides the values.
type outline struct{ hasNATS bool }

// document decodes one file, with the layers above and below it, into v.
func (l *loader) document(text []byte, path string, v reflect.Value, lowest map[string]any) (o outline, _ *Error) {
	p := l.decoder.problems
	tree := l.tree(parseYAML(text, path, p), path, v.Type())
	if err := p.err(); err != nil {
		return o, err
	}
	env := overlay(l.env, v.Type(), tree, p)
	flags := overlay(l.flags, v.Type(), tree, p)
	for _, t := range []map[string]any{tree, env, flags} {
		if _, ok := t["nats"]; ok {
			o.hasNATS = true
		}
	}
	all, err := stack(lowest, maps.Clone(tree), env, flags)
	if err != nil {
		return o, checkError(Pos{}, "%s", err)
	}
	l.decoder.structure(v, all, "")
	return o, p.err()
}

// tree makes the tree of a parsed file. An empty file is an empty mapping.
func (l *loader) tree(n *yaml.Node, path string, t reflect.Type) map[string]any {
	switch x := normalise(l.expander.expand(n, path, 0), t).(type) {
	case map[string]any:
		if tag := headerOf(x).Tag; tag != "" {
			l.decoder.invalid(x, "top level", "The tag %s is not expected", tag)
		}
		return x
	default:
		l.decoder.mismatch(x, "top level", "mapping expected, got %s", kindOf(x))
		return nil
	}
}
