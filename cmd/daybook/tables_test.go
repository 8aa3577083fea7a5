package main

import (
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	_ "modernc.org/sqlite"

	"daybook/internal/testdesk"
	"daybook/readmodels/report"
	"daybook/readmodels/table"
)

// rows holds the rows of some tables, each as one text, sorted.
type rows map[string][]string

// newest returns the file of the newest generation in a folder.
func newest(t *testing.T, folder string) string {
	t.Helper()
	numbers, err := filepath.Glob(filepath.Join(folder, "readmodels-*.db"))
	if err != nil || len(numbers) == 0 {
		t.Fatalf("no read models in %s: %v", folder, err)
	}
	slices.SortFunc(numbers, func(a, b string) int {
		if len(a) != len(b) {
			return len(a) - len(b)
		}
		return strings.Compare(a, b)
	})
	return numbers[len(numbers)-1]
}

func openSQL(t *testing.T, path string) *sql.DB {
	t.Helper()
	db, err := sql.Open("sqlite", "file:"+path+"?_pragma=busy_timeout(10000)")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}

// alter changes a database file by SQL, without the program.
func alter(t *testing.T, path, statement string, args ...any) {
	t.Helper()
	db := openSQL(t, path)
	result, err := db.Exec(statement, args...)
	if err != nil {
		t.Fatal(err)
	}
	if n, err := result.RowsAffected(); err != nil || n == 0 {
		t.Fatalf("%s: %d rows, %v", statement, n, err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
}

// everything returns all rows of a file of read models, without its number. It must be the same for two rebuilds of one log.
func everything(t *testing.T, path string) rows {
	t.Helper()
	return read(t, path, nil, func(table, column string) bool {
		return table == "generation" || column == "epoch" || column == "parked_at"
	}, func(string, string) bool { return false })
}

// state returns all rows of a file of read models, without what differs between two desks with the same history: positions,
// times of recording, and the owner that each created at its first start.
func state(t *testing.T, path string) rows {
	t.Helper()
	var owner string
	if err := openSQL(t, path).QueryRow("SELECT coalesce(max(agent_id), 'none') FROM agents WHERE email = 'owner@localhost'").Scan(&owner); err != nil {
		t.Fatal(err)
	}
	importer := strings.NewReplacer("actor=agent:"+owner, "actor=system") // who imports by the API
	all := read(t, path, []string{"generation", "checkpoints"}, func(_, column string) bool {
		return column == "position" || column == "first_position" || column == "recorded_at"
	}, func(_, row string) bool {
		return strings.Contains(importer.Replace(row), owner) || strings.Contains(row, "type=key-") // the owner, and the owner's key
	})
	for _, made := range all {
		for i, row := range made {
			made[i] = positions.ReplaceAllString(importer.Replace(row), "")
		}
	}
	return all
}

// positions are those in lists.
var positions = regexp.MustCompile(`"position":"\d+",`)

func read(t *testing.T, path string, without []string, drop func(table, column string) bool, pass func(table, row string) bool) rows {
	t.Helper()
	db := openSQL(t, path)
	defer db.Close()
	tables, err := db.Query("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name")
	if err != nil {
		t.Fatal(err)
	}
	defer tables.Close()
	var names []string
	for tables.Next() {
		var name string
		if err := tables.Scan(&name); err != nil {
			t.Fatal(err)
		}
		names = append(names, name)
	}
	if err := tables.Err(); err != nil {
		t.Fatal(err)
	}
	all := make(rows)
	for _, name := range names {
		if slices.Contains(without, name) {
			continue
		}
		all[name] = readTable(t, db, name, drop, pass)
		if packed, is := packs[name]; is && drop(name, "position") {
			all[name] = readPacks(t, db, packed)
		}
	}
	if len(all["tickets"])+len(all["agents"]) == 0 {
		t.Fatalf("%s holds nothing", path)
	}
	return all
}

// packs are the tables of packed facts.
var packs = map[string]table.Table{report.ActivityTable.Name: report.ActivityTable, report.PostedTable.Name: report.PostedTable, report.SpansTable.Name: report.SpansTable}

// readPacks returns the facts of all packs, without their positions.
func readPacks(t *testing.T, db *sql.DB, of table.Table) (all []string) {
	t.Helper()
	r, err := table.Relate(of)
	if err != nil {
		t.Fatal(err)
	}
	var keys []string
	for _, c := range r.Columns[:len(r.Key)-1] {
		keys = append(keys, c.Name)
	}
	found, err := db.Query(fmt.Sprintf("SELECT %s, facts FROM %q", strings.Join(keys, " || ' ' || "), of.Name))
	if err != nil {
		t.Fatal(err)
	}
	defer found.Close()
	for found.Next() {
		var key string
		var pack []byte
		if err := found.Scan(&key, &pack); err != nil {
			t.Fatal(err)
		}
		facts, err := r.Unpacked(pack)
		if err != nil {
			t.Fatal(err)
		}
		for _, fact := range facts {
			text, err := json.Marshal(fact)
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, key+" "+string(text))
		}
	}
	if err := found.Err(); err != nil {
		t.Fatal(err)
	}
	slices.Sort(all)
	return all
}

// readTable has the database write each row as one text, which is faster than reading each cell.
func readTable(t *testing.T, db *sql.DB, table string, drop func(table, column string) bool, pass func(table, row string) bool) []string {
	t.Helper()
	named, err := db.Query("SELECT name FROM pragma_table_info(?)", table)
	if err != nil {
		t.Fatal(err)
	}
	defer named.Close()
	var cells []string
	for named.Next() {
		var column string
		if err := named.Scan(&column); err != nil {
			t.Fatal(err)
		}
		if !drop(table, column) {
			cells = append(cells, fmt.Sprintf(`'%[1]s=' || coalesce("%[1]s", 'NULL')`, column))
		}
	}
	list := []string{}
	if len(cells) == 0 {
		return list
	}
	found, err := db.Query(fmt.Sprintf("SELECT %s FROM %q", strings.Join(cells, " || ' ' || "), table))
	if err != nil {
		t.Fatal(err)
	}
	defer found.Close()
	for found.Next() {
		var row string
		if err := found.Scan(&row); err != nil {
			t.Fatal(err)
		}
		if !pass(table, row) {
			list = append(list, row)
		}
	}
	if err := errors.Join(named.Err(), found.Err()); err != nil {
		t.Fatal(err)
	}
	slices.Sort(list)
	return list
}

// mustBeSame compares rows and reports the first that differ.
func mustBeSame(t *testing.T, what string, got, want rows) {
	t.Helper()
	for table := range want {
		if diff := cmp.Diff(want[table], got[table]); diff != "" {
			if len(diff) > 3000 {
				diff = diff[:3000] + " …"
			}
			t.Errorf("%s: table %s (-want +got):\n%s", what, table, diff)
		}
	}
	if len(got) != len(want) {
		t.Errorf("%s: %d tables, want %d", what, len(got), len(want))
	}
}

// projected lets the read models of a folder catch up with its log, and returns their state.
func projected(t *testing.T, p testdesk.Program, folder string) rows {
	t.Helper()
	c, stop := p.Serve(t, folder)
	c.CaughtUp(t)
	stop()
	return state(t, newest(t, folder))
}
