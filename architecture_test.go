// Package swindon_test holds what is true of the repository as a whole.
package swindon_test

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/swindon-go/swindon"

// leaves may be imported by every package.
var leaves = []string{"internal/names", "internal/unit", "internal/ident", "internal/jsontext", "internal/port", "internal/sock"}

// anyOfOurs marks a package that may import whatever it needs, less what denied names.
var anyOfOurs = []string{"*"}

// allowed is the import table of ARCHITECTURE.md: a package without a row fails, so that a new folder is a decision
// which shows in review. Changes go with a line in an ADR, never upwards or in a circle.
var allowed = map[string][]string{
	"cmd/swindon":       {"internal/config", "internal/node", "internal/logging"},
	"cmd/swindon-dev":   {"internal/config", "internal/node", "internal/logging", "internal/dev"},
	"gateway":           {"gateway/wire", "gateway/presence", "gateway/replica", "gateway/backend", "gateway/api", "internal/ws", "lattice", "internal/web"},
	"gateway/wire":      {},
	"gateway/backend":   {},
	"gateway/presence":  {},
	"gateway/replica":   {"lattice"},
	"gateway/api":       {"lattice", "internal/web"},
	"broker":            {},
	"broker/memory":     {},
	"broker/brokertest": {},
	"lattice":           {},
	"routing":           {},
	"proxy":             {"internal/web"},
	"static":            {"internal/web"},
	"internal/edge":     {"routing", "internal/web", "internal/listen", "internal/http1", "internal/access"},
	"internal/http1":    {"internal/listen"},
	"internal/access":   {"internal/web"},
	"internal/builtin":  {"internal/web", "internal/ws"},
	"internal/ws":       {"internal/web"},
	"internal/web":      {},
	"internal/config":   anyOfOurs,
	"internal/node":     anyOfOurs,
	"internal/admin":    {"internal/web"},
	"internal/dev":      {},
	"internal/listen":   {},
	"internal/logging":  {},
	"internal/memnet":   {},
	"internal/names":    {},
	"internal/unit":     {},
	"internal/jsontext": {},
	"internal/ident":    {},
	"internal/port":     {},
	"internal/sock":     {},
}

// denied are imports that even the wide rows must not have.
var denied = map[string][]string{
	"internal/config": {"internal/node", "internal/dev", "internal/admin/", "cmd/"},
	"internal/node":   {"internal/dev", "cmd/", "internal/memnet", "broker/memory", "broker/brokertest"},
}

// libraries are the packages of others that only some of ours may import.
var libraries = map[string][]string{
	"github.com/nats-io/":          {"broker", "broker/brokertest"},
	"github.com/knadh/koanf":       {"internal/config"},
	"go.yaml.in/yaml":              {"internal/config"},
	"github.com/gorilla/websocket": {"internal/ws"},
	"github.com/spf13/pflag":       {"cmd/swindon", "cmd/swindon-dev"},
	"pgregory.net/rapid":           {},
	"github.com/google/go-cmp":     {},
	"github.com/chromedp/chromedp": {},
	"github.com/compose-spec/":     {},
	"github.com/rogpeppe/":         {},
	"go.uber.org/goleak":           {},
	"golang.org/x/tools/txtar":     {},
}

// free are the folders whose packages are bound by no row.
var free = []string{"examples/", "integration", "tools/"}

type pkg struct {
	ImportPath string
	Doc        string
	Imports    []string
}

// packages lists the module's packages with their non-test imports.
func packages(t *testing.T) []pkg {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "go", "list", "-json=ImportPath,Doc,Imports", "./...").Output()
	if err != nil {
		t.Fatal(err)
	}
	var all []pkg
	d := json.NewDecoder(strings.NewReader(string(out)))
	for {
		var p pkg
		err := d.Decode(&p)
		if errors.Is(err, io.EOF) {
			return all
		}
		if err != nil {
			t.Fatal(err)
		}
		p.ImportPath = strings.TrimPrefix(strings.TrimPrefix(p.ImportPath, module), "/")
		all = append(all, p)
	}
}

func isFree(path string) bool {
	return slices.ContainsFunc(free, func(f string) bool { return strings.HasPrefix(path, f) })
}

func TestImportTable(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for _, p := range packages(t) {
		seen[p.ImportPath] = true
		if isFree(p.ImportPath) || p.ImportPath == "" {
			continue
		}
		row, ok := allowed[p.ImportPath]
		if !ok {
			t.Errorf("%s has no row in the import table", p.ImportPath)
			continue
		}
		for _, imp := range p.Imports {
			checkImport(t, p.ImportPath, imp, row)
		}
	}
	for path := range allowed {
		if !seen[path] {
			t.Errorf("the import table has a row for %s, which does not exist", path)
		}
	}
}

func checkImport(t *testing.T, path, imp string, row []string) {
	t.Helper()
	ours, ok := strings.CutPrefix(imp, module+"/")
	if !ok {
		for lib, users := range libraries {
			if strings.HasPrefix(imp, lib) && !slices.Contains(users, path) {
				t.Errorf("%s imports %s", path, imp)
			}
		}
		return
	}
	if slices.Contains(leaves, ours) {
		return
	}
	for _, d := range denied[path] {
		if strings.HasPrefix(ours, d) {
			t.Errorf("%s imports %s", path, ours)
		}
	}
	if !slices.Equal(row, anyOfOurs) && !slices.Contains(row, ours) {
		t.Errorf("%s imports %s, which its row does not allow", path, ours)
	}
}

// Leaves import nothing of ours but each other's plain values.
func TestLeaves(t *testing.T) {
	t.Parallel()
	for _, p := range packages(t) {
		if !slices.Contains(leaves, p.ImportPath) {
			continue
		}
		for _, imp := range p.Imports {
			if strings.HasPrefix(imp, module) {
				t.Errorf("the leaf %s imports %s", p.ImportPath, imp)
			}
		}
	}
}

func TestPackageComments(t *testing.T) {
	t.Parallel()
	for _, p := range packages(t) {
		if p.ImportPath != "" && p.Doc == "" {
			t.Errorf("%s has no package comment", p.ImportPath)
		}
	}
}
