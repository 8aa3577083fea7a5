package table

import (
	"testing"

	"daybook/internal/testdisk"
)

// TestFailingDisk writes while the disk fails, and continues with the same statements when it works again.
func TestFailingDisk(t *testing.T) {
	for _, failing := range testdisk.Failures {
		t.Run(failing.Name, func(t *testing.T) {
			r := related(t, kinds{}, "kinds")
			db := laid(t, Folder(t.TempDir()), r)
			rows := rowsOf(30)
			put := func() error {
				return db.Write(t.Context(), func(tx Tx) error { return tx.Put(r, encoded(t, rows, len(r.Columns), r.Encode)) })
			}
			if err := put(); err != nil {
				t.Fatal(err)
			}
			if _, err := db.Readers.Exec("PRAGMA synchronous"); err != nil { // it has its file open
				t.Fatal(err)
			}
			repair := failing.Break(t, db.Path()+"-wal")
			for range 3 {
				err := put()
				if failing.Name == "write" && err == nil {
					t.Error("a failed write succeeded")
				}
			}
			repair()
			if err := put(); err != nil {
				t.Error(err)
			}
			if err := db.Close(); err != nil {
				t.Error(err)
			}
		})
	}
}
