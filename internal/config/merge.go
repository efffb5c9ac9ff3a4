package config

import (
	"errors"
	"os"
	"path/filepath"

	"go.yaml.in/yaml/v3"
)

// merge adds to a mapping what stands behind its "<<": a mapping or a list of mappings, of which earlier ones win. The
// mapping's own keys win over all of them. Nothing after a colon, or an empty file, merges nothing.
func (d *document) merge(m map[string]any, h header, n *yaml.Node) {
	switch v := d.node(n).(type) {
	case map[string]any:
		mergeInto(m, h, v)
	case list:
		for _, item := range v.Items {
			if from, ok := item.(map[string]any); ok {
				mergeInto(m, h, from)
			} else if nullOf(item) != implicitNull {
				d.problems.add(preprocessError, posOf(item), "", "<< expects mappings, got %s", kindOf(item))
			}
		}
	case scalar:
		if v.Null != implicitNull {
			d.problems.add(preprocessError, v.Pos, "", "<< expects a mapping or a list of mappings, got %s", kindOf(v))
		}
	}
}

func mergeInto(m map[string]any, h header, from map[string]any) {
	keys := headerOf(from).Keys
	for _, k := range keysOf(from) {
		if _, own := m[k]; !own {
			m[k] = from[k]
			h.Keys[k] = keys[k]
		}
	}
}

// include returns the content of another file in place of the node that names it.
func (d *document) include(n *yaml.Node) any {
	if d.files == nil {
		return d.fail(preprocessError, n, "includes are for files")
	}
	if !relative(n.Value) {
		return d.fail(preprocessError, n, "Only relative paths without parent directories can be included")
	}
	path := filepath.Join(filepath.Dir(d.file), filepath.FromSlash(n.Value))
	text, err := d.files.read(path, n.Value)
	if err != nil {
		return d.fail(preprocessError, n, "Error reading %q: %v", path, reason(err))
	}
	return d.expand(parseYAML(text, path, d.problems), path, d.depth)
}

// reason is an error of the operating system without the path, which the message around it names.
func reason(err error) error {
	if p, ok := errors.AsType[*os.PathError](err); ok {
		return p.Err
	}
	return err
}
