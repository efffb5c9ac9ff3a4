package config

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"math/bits"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/swindon-go/swindon/routing"
)

//go:generate go test -run TestReferenceIsCurrent -update .

const referenceFile = "../../docs/reference/configuration.md"

// The reference is made of the tags and comments of the Config structs: go generate ./internal/config rewrites it.
func TestReferenceIsCurrent(t *testing.T) {
	t.Parallel()
	intro, err := os.ReadFile("testdata/reference.md")
	if err != nil {
		t.Fatal(err)
	}
	r := &reference{docs: map[string]string{}, parsed: map[string]bool{}}
	got := string(intro) + r.body(t)
	if *update {
		writeFile(t, referenceFile, got)
		return
	}
	want, err := os.ReadFile(referenceFile)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(string(want), got); d != "" {
		t.Errorf("run go generate ./internal/config (-is +should be):\n%s", d)
	}
}

// reference writes the tables of keys.
type reference struct {
	out    strings.Builder
	docs   map[string]string // "package path.Type.Field" → comment
	parsed map[string]bool
}

func (r *reference) body(t *testing.T) string {
	top := defaults()
	r.section(t, "Top level", "", reflect.ValueOf(top), false)
	for _, v := range handlerVariants {
		config, _ := v.start()
		r.variant(t, "handlers.NAME: "+v.tag, config, v.later)
	}
	for _, v := range authorizerVariants {
		config, _ := v.start()
		r.variant(t, "authorizers.NAME: "+v.tag, config, v.later)
	}
	sections := reflect.TypeFor[Sections]()
	for _, f := range fieldsOf(sections) {
		if f.typ.Kind() == reflect.Map && f.item().structured() {
			r.section(t, f.key+".NAME", r.comment(t, sections, f), defaultsOf(f.typ.Elem()), f.later)
		}
	}
	for _, name := range []string{"Admin", "NATS", "Replication"} {
		sf, _ := reflect.TypeFor[Config]().FieldByName(name)
		f := parseTag(sf.Tag.Get("config"))
		f.index, f.typ = sf.Index, sf.Type
		r.section(t, f.key, r.comment(t, reflect.TypeFor[Config](), f), reflect.ValueOf(top).FieldByIndex(sf.Index), false)
	}
	return r.out.String()
}

func (r *reference) variant(t *testing.T, title string, config any, later bool) {
	if config == nil {
		r.heading(title, later)
		r.out.WriteString("No content.\n")
		return
	}
	r.section(t, title, "", reflect.ValueOf(config).Elem(), later)
}

func (r *reference) heading(title string, later bool) {
	if strings.Contains(title, " ") && !strings.Contains(title, "!") {
		fmt.Fprintf(&r.out, "\n## %s\n\n", title)
	} else {
		fmt.Fprintf(&r.out, "\n## `%s`\n\n", title)
	}
	if later {
		r.out.WriteString("Parsed and checked in this release; it takes effect in a later one.\n\n")
	}
}

// section writes one table. v holds the defaults.
func (r *reference) section(t *testing.T, title, intro string, v reflect.Value, later bool) {
	r.heading(title, later)
	if intro != "" {
		r.out.WriteString(intro + "\n\n")
	}
	r.out.WriteString("| Key | Value | Default | |\n| --- | --- | --- | --- |\n")
	r.rows(t, "", v)
}

func (r *reference) rows(t *testing.T, prefix string, v reflect.Value) {
	for _, f := range fieldsOf(v.Type()) {
		fv := v.FieldByIndex(f.index)
		if f.structured() && prefix == "" && v.Type() != reflect.TypeFor[Config]() {
			r.rows(t, f.key+".", fv) // nats.tls has no table of its own
			continue
		}
		if f.typ.Kind() == reflect.Map && f.item().structured() && v.Type() != reflect.TypeFor[Config]() {
			r.rows(t, f.key+".NAME.", reflect.New(f.typ.Elem()).Elem())
			continue
		}
		fmt.Fprintf(&r.out, "| `%s%s` | %s | %s | %s |\n", prefix, f.key, kind(f), defaultText(f, fv), r.notes(t, v.Type(), f))
	}
}

// notes is the comment of the struct field, and what holds for the key besides.
func (r *reference) notes(t *testing.T, typ reflect.Type, f field) string {
	s := r.comment(t, typ, f)
	if f.later {
		s += " **Later:** parsed and checked in this release; it takes effect in a later one."
	}
	if f.ours {
		s += " *(not in the original)*"
	}
	return strings.ReplaceAll(s, "|", `\|`)
}

// kind is what a key expects.
func kind(f field) string {
	text := kindOfType(f)
	if f.min != nil || f.max != nil {
		text += " " + bounds(f)
	}
	if f.opt {
		text += " or null"
	}
	return text
}

func kindOfType(f field) string {
	switch {
	case len(f.enum) > 0:
		return "`" + strings.Join(f.enum, "`, `") + "`"
	case f.typ == reflect.TypeFor[[]routing.Rule]():
		return "map of routes"
	case f.typ == messageHandlersType:
		return "map of patterns to `NAME[/PATH]`"
	case f.typ.Kind() == reflect.Map && (f.item().typ == handlerType || f.item().typ == authorizerType):
		return "map of tagged structures"
	case f.typ.Kind() == reflect.Map && f.item().structured():
		return "map of structures"
	case f.typ.Kind() == reflect.Map && f.typ.Elem().Kind() == reflect.Slice:
		return "map of lists"
	case f.typ.Kind() == reflect.Map:
		return "map of texts"
	case f.addr:
		return "list of addresses"
	case f.typ.Kind() == reflect.Slice && !isScalarType(f.typ):
		return "list of " + kindOfType(f.item()) + "s"
	case f.typ == durationType:
		return "duration"
	case f.typ.String() == "names.Destination":
		return "`NAME[/PATH]`"
	case f.typ.String() == "names.Secret":
		return "secret"
	case f.typ.String() == "gateway.Compatibility":
		return "version"
	case f.size:
		return "size"
	case wanted(f.typ) == "string" && f.ident:
		return "name"
	case f.structured():
		return "structure"
	case wanted(f.typ) == "string":
		return "text"
	}
	return wanted(f.typ)
}

func bounds(f field) string {
	format := func(n *int64) string {
		switch {
		case n == nil:
			return ""
		case f.typ == durationType:
			return formatDuration(time.Duration(*n))
		case *n >= 1<<31 && bits.OnesCount64(uint64(*n)) == 1:
			return fmt.Sprintf("2^%d", bits.TrailingZeros64(uint64(*n)))
		}
		return strconv.FormatInt(*n, 10)
	}
	if f.max == nil {
		return "≥ " + format(f.min)
	}
	return format(f.min) + " … " + format(f.max)
}

func defaultText(f field, v reflect.Value) string {
	text, ok := formatValue(v)
	switch {
	case f.req:
		return "required"
	case f.typ == messageHandlersType:
		return "`\"*\"` required"
	case f.typ.Kind() == reflect.Slice && !isScalarType(f.typ):
		return "`[]`"
	case f.typ.Kind() == reflect.Map, !ok:
		return "`{}`"
	case f.opt && v.IsZero():
		return "none"
	case f.size:
		return "`" + formatSize(v.Int()) + "`"
	}
	return "`" + text + "`"
}

func formatSize(n int64) string {
	for _, u := range []struct {
		name string
		size int64
	}{{"Gi", 1 << 30}, {"Mi", 1 << 20}, {"ki", 1 << 10}} {
		if n != 0 && n%u.size == 0 {
			return strconv.FormatInt(n/u.size, 10) + u.name
		}
	}
	return strconv.FormatInt(n, 10)
}

// comment finds the doc comment of the struct field behind a key, without the field's name in front.
func (r *reference) comment(t *testing.T, typ reflect.Type, f field) string {
	for _, i := range f.index[:len(f.index)-1] {
		typ = typ.Field(i).Type
	}
	name := typ.Field(f.index[len(f.index)-1]).Name
	r.parse(t, typ.PkgPath())
	text, ok := r.docs[typ.PkgPath()+"."+typ.Name()+"."+name]
	if !ok {
		t.Errorf("%s.%s has no comment", typ, name)
	}
	return asNote(name, text)
}

var decisions = regexp.MustCompile(` \(decision D\d+\)`)

// asNote makes a note of a comment: "Path is the directory." becomes "The directory.".
func asNote(name, text string) string {
	text = strings.ReplaceAll(decisions.ReplaceAllString(text, ""), "<", "&lt;")
	rest, _ := strings.CutPrefix(text, name+" ")
	switch word, tail, _ := strings.Cut(rest, " "); word {
	case "is", "are":
		rest = tail
	case "of", "to":
		return text
	}
	rest = strings.Replace(rest, "accepted and has no effect", "accepted, without effect", 1)
	return strings.ToUpper(rest[:1]) + rest[1:]
}

// parse reads the field comments of a package of ours.
func (r *reference) parse(t *testing.T, pkg string) {
	if r.parsed[pkg] {
		return
	}
	r.parsed[pkg] = true
	dir := filepath.Join("../..", strings.TrimPrefix(pkg, "github.com/swindon-go/swindon"))
	files, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		f, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(f, func(n ast.Node) bool {
			if spec, ok := n.(*ast.TypeSpec); ok {
				if st, ok := spec.Type.(*ast.StructType); ok {
					r.fields(pkg+"."+spec.Name.Name, st)
				}
			}
			return true
		})
	}
}

func (r *reference) fields(typ string, st *ast.StructType) {
	for _, f := range st.Fields.List {
		for _, name := range f.Names {
			r.docs[typ+"."+name.Name] = strings.Join(strings.Fields(f.Doc.Text()), " ")
		}
	}
}
