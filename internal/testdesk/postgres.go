package testdesk

import (
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"

	"daybook/internal/testdb"
)

var (
	elsewhere sync.Map // names of the tests whose desks keep their read models in PostgreSQL
	databases sync.Map // the databases of those tests' desks, by data folder
)

// InPostgreSQL runs tests once more, with the read models of their desks in PostgreSQL.
func InPostgreSQL(t *testing.T, tests map[string]func(*testing.T)) {
	t.Helper()
	testdb.URL(t) // skips the test without PostgreSQL
	elsewhere.Store(t.Name(), true)
	for _, name := range slices.Sorted(maps.Keys(tests)) {
		t.Run(name, tests[name])
	}
}

// withReadModels adds --read-models to a command line, if the test keeps its read models in PostgreSQL.
func withReadModels(t *testing.T, args []string) []string {
	t.Helper()
	test, _, _ := strings.Cut(t.Name(), "/")
	data := slices.Index(args, "--data")
	if _, there := elsewhere.Load(test); !there || data < 0 || slices.Contains(args, "--read-models") || slices.Contains(args, "--url") {
		return args
	}
	if !slices.Contains([]string{"serve", "import", "replay", "rebuild", "verify", "simulate"}, args[0]) {
		return args
	}
	make := func() string { return testdb.URL(t) }
	url, _ := databases.LoadOrStore(args[data+1], sync.OnceValue(make))
	return append(slices.Clip(args), "--read-models", url.(func() string)())
}
