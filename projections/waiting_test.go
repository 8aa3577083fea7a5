package projections_test

import (
	"os"
	"path/filepath"
	"testing"

	"daybook/internal/testdb"
	"daybook/projections/engine"
	"daybook/readmodels/table"
)

func TestMain(m *testing.M) { os.Exit(testdb.Run(m)) }

// TestProjectionsDoNotMindWaiting: the result is the same whether changes of rows run at once or wait, in files and in PostgreSQL.
func TestProjectionsDoNotMindWaiting(t *testing.T) {
	atOnce := deskLog(t, 3000)
	waiting := atOnce
	waiting.CacheRows, waiting.Defer = 5, true
	for name, db := range map[string]func(t *testing.T) *table.DB{"SQLite": inFile, "PostgreSQL": inPostgreSQL} {
		t.Run(name, func(t *testing.T) {
			db := db(t)
			if err := waiting.Fill(t.Context(), engine.Cut{}, db); err != nil {
				t.Fatal(err)
			}
			v, err := atOnce.Verify(t.Context(), db, engine.VerifyOptions{Report: func(d engine.Difference) error {
				t.Error(d)
				return nil
			}})
			if err != nil || v.Rows == 0 {
				t.Errorf("%d rows were compared, %v", v.Rows, err)
			}
		})
	}
}

func inFile(t *testing.T) *table.DB {
	db, err := table.Open(filepath.Join(t.TempDir(), "rows.db"))
	return closed(t, db, err)
}

func inPostgreSQL(t *testing.T) *table.DB {
	home, err := table.NewSchemas(testdb.URL(t), table.SchemasOptions{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { home.Close() })
	db, _, err := home.Create(t.Context())
	return closed(t, db, err)
}

func closed(t *testing.T, db *table.DB, err error) *table.DB {
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}
