package postgres_test

import (
	"fmt"
	"os"
	"sync/atomic"
	"testing"

	"daybook/eventstore"
	"daybook/eventstore/postgres"
	"daybook/eventstore/storetest"
	"daybook/internal/testdb"
)

func TestMain(m *testing.M) { os.Exit(testdb.Run(m)) }

func open(t testing.TB, url string, opts postgres.Options) *postgres.Store {
	t.Helper()
	store, err := postgres.Open(t.Context(), url, opts)
	if err != nil {
		t.Fatal(err)
	}
	return store
}

func TestStore(t *testing.T) {
	url := testdb.URL(t)
	var made atomic.Int64
	storetest.Run(t, func(t testing.TB) eventstore.Store {
		return open(t, url, postgres.Options{Schema: fmt.Sprintf("log_%d", made.Add(1))})
	}, storetest.Dense)
}
