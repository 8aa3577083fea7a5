package daybook_test

import (
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// rooms says which rooms each room may import. A room that is not here has not earned its place.
var rooms = map[string][]string{
	"domain":      {"domain"},
	"eventstore":  {"eventstore"},
	"commands":    {"domain", "eventstore"},
	"readmodels":  {"domain", "eventstore"},
	"projections": {"domain", "eventstore", "readmodels"},
	"vault":       {"domain"},
	"api":         {"domain", "eventstore", "commands", "readmodels", "vault"},
	"journal":     {"domain", "eventstore", "commands", "readmodels", "vault"},
	"cmd":         {"domain", "eventstore", "commands", "projections", "readmodels", "vault", "api", "journal"},
	"internal":    {"domain", "eventstore", "commands"},
	testdesk:      {"domain", "eventstore", "commands", "projections", "readmodels", "vault", "api", "journal"},
	"bench":       {"domain", "eventstore", "commands", "projections", "readmodels", "vault", "api", "journal", "bench"},
}

// testdesk is a room of its own: it gives tests a whole desk, so it may know all.
const testdesk = "internal/testdesk"

// values are the rooms of the domain that readmodels may name: types of values, and no rules.
var values = []string{"daybook/domain", "daybook/domain/agent", "daybook/domain/role", "daybook/domain/tag", "daybook/domain/ticket"}

// backends are the rooms that know a technology; only the program and the bench may name one.
var backends = []string{"daybook/eventstore/sqlite", "daybook/eventstore/postgres", "daybook/eventstore/esdb", "daybook/eventstore/esdb/esdbtest", "daybook/eventstore/storetest"}

func TestRooms(t *testing.T) {
	err := filepath.WalkDir(".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() && strings.HasPrefix(entry.Name(), ".") && path != "." {
			return fs.SkipDir
		}
		if path == "doc.go" || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return nil
		}
		room, _, _ := strings.Cut(filepath.ToSlash(path), "/")
		if filepath.ToSlash(filepath.Dir(path)) == testdesk {
			room = testdesk
		}
		allowed, known := rooms[room]
		if !known {
			t.Errorf("%s: there is no room %s", path, room)
			return nil
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		for _, spec := range file.Imports {
			name, _ := strconv.Unquote(spec.Path.Value)
			inside, ours := strings.CutPrefix(name, "daybook/")
			other, _, _ := strings.Cut(inside, "/")
			switch {
			case inside == testdesk:
				t.Errorf("%s imports %s: only tests may", path, name)
			case !ours || other == "internal" && room != "domain":
			case !slices.Contains(allowed, other):
				t.Errorf("%s imports %s: %s may not know %s", path, name, room, other)
			case room == "readmodels" && other == "domain" && !slices.Contains(values, name):
				t.Errorf("%s imports %s: readmodels may know the domain's values only", path, name)
			case slices.Contains(backends, name) && !slices.Contains([]string{"cmd", "bench", "eventstore"}, room):
				t.Errorf("%s imports %s: only the program chooses a backend", path, name)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
