package daybook_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// rooms lists the packages that each package, here called a room, may import. A room stands for those below it, unless they are listed
// too. Add a new room here.
var rooms = map[string][]string{
	"domain":     {"domain"},
	"eventstore": {"eventstore"},

	"commands":      {"domain", "eventstore", "commands/work"},
	"commands/work": {"domain", "eventstore"},

	"readmodels":        {"domain", "eventstore", "readmodels/table"},
	"readmodels/table":  {"domain", "eventstore"},
	"readmodels/report": {"domain", "eventstore", "readmodels/table"},

	"projections":        {"domain", "eventstore", "readmodels", "projections/engine"},
	"projections/engine": {"domain", "eventstore", "readmodels/table"},

	"vault":   {"domain"},
	"access":  {"domain", "eventstore", "commands", "readmodels", "vault"},
	"api":     {"domain", "eventstore", "commands", "readmodels", "vault", "access"},
	"journal": {"domain", "eventstore", "commands", "readmodels", "vault", "access"},

	"cmd":   {"domain", "eventstore", "commands", "projections", "readmodels", "vault", "access", "api", "journal"},
	"bench": {"domain", "eventstore", "commands", "projections", "readmodels", "vault", "access", "api", "journal", "bench"},

	"clients": nil,

	"internal":          {"domain", "eventstore", "commands"},
	"internal/testdesk": {"domain", "eventstore", "commands", "projections", "readmodels", "vault", "access", "api", "journal"},
}

// values are the domain's rooms that readmodels may import: types of values, and no rules.
var values = []string{"daybook/domain", "daybook/domain/agent", "daybook/domain/role", "daybook/domain/search", "daybook/domain/tag", "daybook/domain/ticket", "daybook/domain/zone"}

// backends are the rooms that depend on a technology; only the program and the benchmarks may import one.
var backends = []string{"daybook/eventstore/sqlite", "daybook/eventstore/postgres", "daybook/eventstore/esdb", "daybook/eventstore/esdb/esdbtest", "daybook/eventstore/storetest"}

// nouns are the entities of the desk. The machines handle them and know none of them: what a machine must know of a noun is in its
// event.Kind.
var nouns = []string{"agent", "company", "contact", "department", "group", "tag", "ticket"}

// machines are the rooms that know no noun, each with the exceptions that it needs.
var machines = map[string][]string{
	"commands/work":      nil,
	"projections/engine": nil,
	"readmodels/table":   nil,
	"access":             {"agent"}, // the caller
}

// sources calls f with each Go file of the project that is not a test.
func sources(t *testing.T, f func(path string, file *ast.File)) {
	t.Helper()
	err := filepath.WalkDir(".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() && strings.HasPrefix(entry.Name(), ".") && path != "." {
			return fs.SkipDir
		}
		if !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") || !strings.Contains(path, "/") {
			return nil
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
		if err == nil {
			f(filepath.ToSlash(path), file)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// roomOf is the room of a path: the longest that is listed.
func roomOf(path string) (room string, known bool) {
	for room = path; room != "."; room = filepath.Dir(room) {
		if _, known := rooms[room]; known {
			return room, true
		}
	}
	return path, false
}

func imported(file *ast.File) (names []string) {
	for _, spec := range file.Imports {
		name, _ := strconv.Unquote(spec.Path.Value)
		names = append(names, name)
	}
	return names
}

func TestRooms(t *testing.T) {
	sources(t, func(path string, file *ast.File) {
		room, known := roomOf(filepath.Dir(path))
		if !known {
			t.Errorf("%s: there is no room %s; move the file, or add the room to rooms", path, room)
			return
		}
		for _, name := range imported(file) {
			inside, ours := strings.CutPrefix(name, "daybook/")
			if !ours {
				continue
			}
			other, _ := roomOf(inside)
			may := slices.ContainsFunc(rooms[room], func(allowed string) bool {
				return other == allowed || strings.HasPrefix(other, allowed+"/")
			})
			switch {
			case inside == "internal/testdesk" || inside == "internal/testlog":
				t.Errorf("%s imports %s: only tests may", path, name)
			case other == room || other == "internal" && room != "domain":
			case !may:
				t.Errorf("%s imports %s: %s may not know %s", path, name, room, other)
			case strings.HasPrefix(room, "readmodels") && other == "domain" && !slices.Contains(values, name):
				t.Errorf("%s imports %s: readmodels may know the domain's values only", path, name)
			case slices.Contains(backends, name) && !slices.Contains([]string{"cmd", "bench", "eventstore", "internal/testdesk", "internal"}, room):
				t.Errorf("%s imports %s: only the program chooses a backend", path, name)
			}
		}
	})
}

// TestMachinesKnowNoNoun finds nouns that a machine imports, or names in an identifier or a text.
func TestMachinesKnowNoNoun(t *testing.T) {
	sources(t, func(path string, file *ast.File) {
		room, _ := roomOf(filepath.Dir(path))
		may, machine := machines[room]
		if !machine {
			return
		}
		for _, noun := range nouns {
			if slices.Contains(may, noun) {
				continue
			}
			for _, name := range imported(file) {
				if name == "daybook/domain/"+noun {
					t.Errorf("%s imports %s: a machine knows no noun; say what it needs in event.Kind", path, name)
				}
			}
			if noun == "tag" || noun == "group" { // Go and databases use these words too
				continue
			}
			named := regexp.MustCompile("(?i)(^|[^a-z])" + noun + "s?([^a-z]|$)")
			inIdentifier := regexp.MustCompile("(^|[a-z])" + strings.ToUpper(noun[:1]) + noun[1:] + "|^" + noun + "(s|$|[A-Z])")
			ast.Inspect(file, func(n ast.Node) bool {
				switch n := n.(type) {
				case *ast.Ident:
					if inIdentifier.MatchString(n.Name) {
						t.Errorf("%s names %s: a machine knows no noun", path, n.Name)
					}
				case *ast.BasicLit:
					if n.Kind == token.STRING && named.MatchString(n.Value) {
						t.Errorf("%s says %s: a machine knows no noun", path, n.Value)
					}
				}
				return true
			})
		}
	})
}
