package vault

import (
	"context"
	"errors"
	"path/filepath"
	"sync"
	"testing"

	"github.com/google/uuid"
)

// TestChangesShareACommit makes many changes at once, of which one fails.
func TestChangesShareACommit(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "vault.db")
	v, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	transactions := make(map[any]int) // the changes of each
	busy, hold := make(chan struct{}), make(chan struct{})
	var all sync.WaitGroup
	all.Go(func() { // keeps the writer busy until the others wait
		if err := v.writer.commit(t.Context(), func(tx) error { close(busy); <-hold; return nil }); err != nil {
			t.Error(err)
		}
	})
	<-busy
	bad := errors.New("bad")
	const n = 50
	for i := range n {
		done := make(chan error, 1)
		err := v.writer.accept(t.Context(), &change{func(tx tx) error {
			mu.Lock()
			transactions[tx.Tx]++
			mu.Unlock()
			if i == 7 {
				return bad
			}
			_, err := tx.exec("INSERT INTO secrets (name, value) VALUES (?, ?)", uuid.NewString(), []byte{1})
			return err
		}, func(err error) { done <- err }, i%2 == 0, nil})
		if err != nil {
			t.Fatal(err)
		}
		all.Go(func() {
			if err := <-done; (err != nil) != (i == 7) || i == 7 && !errors.Is(err, bad) {
				t.Errorf("change %d: %v", i, err)
			}
		})
	}
	close(hold)
	all.Wait()
	var kept int
	if err := v.read.Get(&kept, "SELECT count(*) FROM secrets"); err != nil || kept != n-1+3 { // and those of a new vault
		t.Errorf("%d rows, %v", kept, err)
	}
	most := 0
	for _, changes := range transactions {
		most = max(most, changes)
	}
	if most < 8 { // up to the one that fails
		t.Errorf("at most %d changes shared a transaction", most)
	}
	// What nobody waits for is durable after Close, and nothing is accepted after it.
	if err := v.writer.accept(t.Context(), &change{func(tx tx) error {
		_, err := tx.exec("INSERT INTO secrets (name, value) VALUES (?, ?)", "last", []byte{1})
		return err
	}, func(err error) {
		if err != nil {
			t.Error(err)
		}
	}, false, nil}); err != nil {
		t.Fatal(err)
	}
	if err := v.Close(); err != nil {
		t.Fatal(err)
	}
	if err := v.Make(context.Background(), uuid.New()); !errors.Is(err, ErrClosed) {
		t.Errorf("after Close: %v", err)
	}
	again, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	if err := again.read.Get(&kept, "SELECT count(*) FROM secrets"); err != nil || kept != n+3 {
		t.Errorf("%d rows after Close, %v", kept, err)
	}
}
