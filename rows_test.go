package daybook_test

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// TestEveryRowIsProved fails if a row of docs/rows.md claims a test that does not exist. With -v it lists the rows and counts them,
// as "make rows" does.
func TestEveryRowIsProved(t *testing.T) {
	tests := testsByName(t)
	row := regexp.MustCompile(`^\| (\S+) \| *(.*?) *\| *(.*?) *\|$`)
	claim := regexp.MustCompile("`([^`]+)`")
	seen := map[string]bool{}
	proved := 0
	for line := range strings.Lines(text(t, "docs/rows.md")) {
		line = strings.TrimSpace(line)
		if !strings.HasPrefix(line, "|") || strings.HasPrefix(line, "| row |") || strings.HasPrefix(line, "| --- |") {
			continue
		}
		cells := row.FindStringSubmatch(line)
		if cells == nil {
			t.Errorf("docs/rows.md: write this line as | row | what | proved by |: %s", line)
			continue
		}
		number, what, by := cells[1], cells[2], cells[3]
		if seen[number] {
			t.Errorf("row %s occurs twice in docs/rows.md: merge the two", number)
		}
		seen[number] = true
		if what == "" {
			t.Errorf("row %s has no sentence: say in the second column what a user can do", number)
		}
		claims := claim.FindAllStringSubmatch(by, -1)
		if len(claims) > 0 {
			proved++
		} else if by != "–" {
			t.Errorf("row %s: name in the third column a test, between backticks, or write – if it is not built", number)
		}
		for _, c := range claims {
			if sentence := missing(tests, c[1]); sentence != "" {
				t.Errorf("row %s claims %s, but %s; write that test, name the one that proves the row, or write –", number, c[1], sentence)
			}
		}
		if testing.Verbose() {
			fmt.Fprintf(t.Output(), "%4s  %s  %s\n", number, what, strings.ReplaceAll(by, "`", ""))
		}
	}
	total := len(seen)
	for _, kind := range []struct {
		prefix string
		last   int
	}{{"", 118}, {"B", 15}} {
		for n := 1; n <= kind.last; n++ {
			number := kind.prefix + strconv.Itoa(n)
			if !seen[number] {
				t.Errorf("row %s is missing from docs/rows.md: restore it", number)
			}
			delete(seen, number)
		}
	}
	for number := range seen {
		t.Errorf("row %s is beyond the last: raise the number here if it is new", number)
	}
	if testing.Verbose() {
		fmt.Fprintf(t.Output(), "%d rows: %d proved, %d not yet\n", total, proved, total-proved)
	}
}

// missing says what of a claimed test does not exist, or returns "". A claim is TestXxx or TestXxx/SUBTEST.
func missing(tests map[string][]map[string]bool, claim string) string {
	name, subtest, within := strings.Cut(claim, "/")
	if len(tests[name]) == 0 {
		return "there is no test " + name
	}
	for _, names := range tests[name] {
		if !within || names[subtest] {
			return ""
		}
	}
	return "no subtest in the file of " + name + " has that name"
}

// testsByName returns the tests of the module. For each name it has the names of the file's subtests, once per package.
func testsByName(t *testing.T) map[string][]map[string]bool {
	t.Helper()
	tests := map[string][]map[string]bool{}
	err := filepath.WalkDir(".", func(path string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && path != ".":
			if _, err := os.Stat(filepath.Join(path, "go.mod")); err == nil || strings.HasPrefix(entry.Name(), ".") || entry.Name() == "testdata" {
				return fs.SkipDir
			}
			return nil
		case !strings.HasSuffix(path, "_test.go"):
			return nil
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		subtests := subtestsOf(file)
		for _, d := range file.Decls {
			if f, ok := d.(*ast.FuncDecl); ok && f.Recv == nil && strings.HasPrefix(f.Name.Name, "Test") && f.Name.Name != "TestMain" {
				tests[f.Name.Name] = append(tests[f.Name.Name], subtests)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return tests
}

// subtestsOf collects the strings that may name a subtest: the first argument of Run and row, and the strings in tables.
func subtestsOf(file *ast.File) map[string]bool {
	names := map[string]bool{}
	keep := func(e ast.Expr) {
		if literal, ok := e.(*ast.BasicLit); ok && literal.Kind == token.STRING {
			name, _ := strconv.Unquote(literal.Value)
			names[name] = true
		}
	}
	ast.Inspect(file, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.CallExpr:
			if f, ok := n.Fun.(*ast.SelectorExpr); ok && len(n.Args) > 1 && (f.Sel.Name == "Run" || f.Sel.Name == "row") {
				keep(n.Args[0])
			}
		case *ast.KeyValueExpr:
			keep(n.Key)
			keep(n.Value)
		case *ast.CompositeLit:
			for _, e := range n.Elts {
				keep(e)
			}
		}
		return true
	})
	return names
}
