package table

import (
	"context"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestTheWriteAheadLogStaysShort writes three times what the log may hold, and then little by little.
func TestTheWriteAheadLogStaysShort(t *testing.T) {
	db, err := Open(filepath.Join(t.TempDir(), "readmodels.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	write := func(statement string) {
		t.Helper()
		err := db.Write(t.Context(), func(tx Tx) error {
			_, err := tx.Exec(statement)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	write("CREATE TABLE pages (page TEXT)")
	much := "INSERT INTO pages VALUES " + strings.Repeat("(printf('%.*c', 4000, 'x')), ", 999) + "('')"
	for range 3 * longestWAL / 1000 {
		write(much)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for {
		held, copied, err := checkpoint(ctx, db.writer, "NOOP")
		if err != nil {
			t.Fatal(err)
		}
		if held < longestWAL && held-copied < copiedAtOnce {
			return
		}
		write("INSERT INTO pages VALUES ('')")
	}
}
