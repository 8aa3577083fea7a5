package projections_test

import (
	"context"
	"testing"
	"testing/fstest"

	"daybook/projections"
	"daybook/projections/engine"
	"daybook/readmodels/table"
)

// TestVersion: whatever could change rows changes the version.
func TestVersion(t *testing.T) {
	types := []string{"ticket-opened", "ticket-resolved"}
	expected := func(texts ...string) fstest.MapFS {
		files := make(fstest.MapFS)
		for i := 0; i < len(texts); i += 2 {
			files["testdata/"+texts[i]] = &fstest.MapFile{Data: []byte(texts[i+1])}
		}
		return files
	}
	before := expected("ticket-resolved.txt", "status: resolved\n", "desk.digest", "1 ticket\n")
	version := projections.VersionOf(types, before, 1)
	if again := projections.VersionOf(types, expected("desk.digest", "1 ticket\n", "ticket-resolved.txt", "status: resolved\n"), 1); again != version {
		t.Errorf("the version of the same is %s and %s", version, again)
	}
	for name, other := range map[string]string{
		"an expectation":         projections.VersionOf(types, expected("ticket-resolved.txt", "status: done\n", "desk.digest", "1 ticket\n"), 1),
		"what the journal gives": projections.VersionOf(types, expected("ticket-resolved.txt", "status: resolved\n", "desk.digest", "2 tickets\n"), 1),
		"one expectation less":   projections.VersionOf(types, expected("desk.digest", "1 ticket\n"), 1),
		"a file's name":          projections.VersionOf(types, expected("ticket-closed.txt", "status: resolved\n", "desk.digest", "1 ticket\n"), 1),
		"the catalogue":          projections.VersionOf(types[:1], before, 1),
		"the number":             projections.VersionOf(types, before, 2),
	} {
		if other == version {
			t.Errorf("%s changed, and the version did not", name)
		}
	}
}

// TestOtherExpectationsAreAnotherGeneration: a program with other expectations does not use the rows that this one made.
func TestOtherExpectationsAreAnotherGeneration(t *testing.T) {
	source, home := deskLog(t, 50), table.Folder(t.TempDir())
	build(t, source, home)
	other := source
	other.Version = projections.VersionOf(nil, fstest.MapFS{}, 1)
	for name, program := range map[string]struct {
		engine.Source
		finds bool
	}{"this program": {source, true}, "another": {other, false}} {
		db, err := program.OpenLive(t.Context(), home)
		if err != nil {
			t.Fatal(err)
		}
		if found := db != nil; found != program.finds {
			t.Errorf("%s: rows that it can use: %t", name, found)
		}
		if db != nil {
			db.Close()
		}
	}
	build(t, other, home)
	if numbers, err := home.Generations(t.Context()); err != nil || len(numbers) != 2 {
		t.Errorf("there are the generations %v, %v; want one for each program", numbers, err)
	}
}

// build runs an engine until its rows are at the end of the log.
func build(t *testing.T, source engine.Source, home table.Home) {
	live := new(table.Live)
	defer live.Close()
	e, err := engine.New(source, home, live)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- e.Run(ctx, engine.RunOptions{}) }()
	head, err := source.Store.Head(ctx)
	if err == nil {
		err = live.Wait(ctx, head)
	}
	stop()
	<-ended
	if err != nil {
		t.Fatal(err)
	}
}
