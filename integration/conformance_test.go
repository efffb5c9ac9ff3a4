package integration

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/swindon-go/swindon/integration/testkit"
)

// later lists what may still be missing; a row may wait for nothing else.
var later = map[string]bool{"listings": true, "VersionedStatic": true, "HttpBin": true, "Ldap": true}

var testFunc = regexp.MustCompile(`(?m)^func (Test[A-Za-z0-9_]*)\(t \*testing\.T\)`)

// repositoryTests maps each test to the text of the file that holds it.
func repositoryTests(t *testing.T) map[string]string {
	t.Helper()
	tests := make(map[string]string)
	err := filepath.WalkDir(testkit.Root(), func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() && (strings.HasPrefix(entry.Name(), ".") && len(entry.Name()) > 1 && entry.Name() != ".." || entry.Name() == "node_modules") {
			return filepath.SkipDir
		}
		if !strings.HasSuffix(path, "_test.go") {
			return nil
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		for _, found := range testFunc.FindAllStringSubmatch(string(text), -1) {
			tests[found[1]] += string(text)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return tests
}

// conformanceRow is one row of docs/conformance.md.
type conformanceRow struct{ section, what, test string }

// parseConformance reads the rows of all tables but their heads.
func parseConformance(text string) (rows []conformanceRow, bad []string) {
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if !strings.HasPrefix(line, "|") || strings.HasPrefix(line, "| ---") || strings.HasPrefix(line, "| Section |") || strings.HasPrefix(line, "| Situation |") {
			continue
		}
		cells := strings.Split(strings.Trim(line, "|"), "|")
		if len(cells) != 3 {
			bad = append(bad, line)
			continue
		}
		rows = append(rows, conformanceRow{strings.TrimSpace(cells[0]), strings.TrimSpace(cells[1]), strings.TrimSpace(cells[2])})
	}
	return rows, bad
}

// checkConformance says what is wrong with a row; empty when nothing is.
func checkConformance(row conformanceRow, tests map[string]string) string {
	if row.section == "" || row.what == "" || row.test == "" {
		return "has an empty cell"
	}
	if what, isLater := strings.CutPrefix(row.test, "later: "); isLater {
		if !later[what] {
			return "waits for " + what + ", which nobody announced"
		}
		return ""
	}
	for name := range strings.SplitSeq(row.test, ",") {
		function, sub, _ := strings.Cut(strings.TrimSpace(name), "/")
		file, known := tests[function]
		if !known {
			return "names " + function + ", which is no test"
		}
		if sub != "" && !mentionsSubtest(file, sub) {
			return "names " + name + ", but " + sub + " is no subtest there"
		}
	}
	return ""
}

// mentionsSubtest looks for the subtest's name as a literal, or for the literal that it was made of with a prefix or a number.
func mentionsSubtest(file, sub string) bool {
	if strings.Contains(file, `"`+sub+`"`) {
		return true
	}
	prefix, rest, found := strings.Cut(sub, "-")
	return found && strings.Contains(file, `"`+prefix+`-"`) && (strings.Contains(file, `"`+rest+`"`) || regexp.MustCompile(`\b`+regexp.QuoteMeta(rest)+`\b`).MatchString(file))
}

// The specification has so many marks, the errors so many situations; fewer rows mean that some were lost.
func TestConformanceTable(t *testing.T) {
	t.Parallel()
	checkTable(t, filepath.Join("docs", "conformance.md"), 140)
}

// Each weakness of the original has a test with its number, here or in the package cluster, and its row names it.
func TestConformanceWeaknesses(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(filepath.Join(testkit.Root(), "docs", "conformance.md"))
	if err != nil {
		t.Fatal(err)
	}
	rows, _ := parseConformance(string(text))
	for n := 1; n <= 30; n++ {
		named := false
		for _, row := range rows {
			named = named || row.section == fmt.Sprintf("12.3 no. %d", n) && strings.Contains(row.test, fmt.Sprintf("TestWeakness%02d", n))
		}
		if !named {
			t.Errorf("no row for no. %d names a test TestWeakness%02d…", n, n)
		}
	}
}

func TestErrorsTable(t *testing.T) {
	t.Parallel()
	checkTable(t, filepath.Join("docs", "protocol", "errors.md"), 65)
}

func checkTable(t *testing.T, name string, least int) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(testkit.Root(), name))
	if err != nil {
		t.Fatal(err)
	}
	rows, bad := parseConformance(string(text))
	for _, line := range bad {
		t.Errorf("not three cells: %s", line)
	}
	if len(rows) < least {
		t.Errorf("only %d rows", len(rows))
	}
	tests := repositoryTests(t)
	seen := make(map[string]bool)
	for _, row := range rows {
		if problem := checkConformance(row, tests); problem != "" {
			t.Errorf("row %s (%s) %s", row.section, row.what, problem)
		}
		key := row.section + row.what
		if seen[key] {
			t.Errorf("row %s (%s) is there twice", row.section, row.what)
		}
		seen[key] = true
	}
}

// The check itself can fail.
func TestConformanceCheck(t *testing.T) {
	t.Parallel()
	tests := map[string]string{"TestX": `t.Run("one-thing", nil); t.Run("status-"+s, nil); 404`}
	for _, row := range []conformanceRow{
		{"1", "a", ""},
		{"", "a", "TestX"},
		{"1", "a", "later: everything"},
		{"1", "a", "TestY"},
		{"1", "a", "TestX, TestY"},
		{"1", "a", "TestX/other"},
		{"1", "a", "TestX/status-405"},
	} {
		if checkConformance(row, tests) == "" {
			t.Errorf("%v is accepted", row)
		}
	}
	for _, test := range []string{"TestX", "TestX/one-thing", "TestX/status-404", "TestX, TestX/one-thing", "later: listings"} {
		if problem := checkConformance(conformanceRow{"1", "a", test}, tests); problem != "" {
			t.Errorf("%s is refused: it %s", test, problem)
		}
	}
	if _, bad := parseConformance("| a | b |\n"); len(bad) != 1 {
		t.Error("a row of two cells is accepted")
	}
}
