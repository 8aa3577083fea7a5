package api_test

import (
	"database/sql"
	"net/http"
	"path/filepath"
	"sync"
	"testing"

	"daybook/internal/testdesk"
)

// TestRefusalsAreRepeated repeats refused requests with the same Idempotency-Key.
func TestRefusalsAreRepeated(t *testing.T) {
	t.Parallel()
	c := testdesk.Serve(t, t.TempDir())
	ticket := c.Must(t, 201, "POST", "/v1/inquiries", testdesk.Inquiry("nora", "Help")).ID(t)
	c.Must(t, 200, "POST", "/v1/tickets/"+ticket+"/resolve", nil)
	once, same := testdesk.Header("Idempotency-Key", "once"), testdesk.Header("Request-Id", "same")
	before := c.Must(t, 409, "POST", "/v1/tickets/"+ticket+"/postpone", nil, once, same)
	if before.Header.Get("Idempotent-Replayed") != "" {
		t.Errorf("the first answer is marked as a repeat: %s", before)
	}
	c.Must(t, 200, "POST", "/v1/tickets/"+ticket+"/reopen", nil) // now it would succeed
	after := c.Must(t, 409, "POST", "/v1/tickets/"+ticket+"/postpone", nil, once, same)
	if string(after.Body) != string(before.Body) || after.Header.Get("Idempotent-Replayed") != "true" {
		t.Errorf("the first answer was %s, the second %s", before, after)
	}
	c.Must(t, 200, "POST", "/v1/tickets/"+ticket+"/postpone", nil, testdesk.Header("Idempotency-Key", "twice"))
}

// TestConcurrentRepeats sends one request many times at once with the same key. It takes effect once, and all get its answer.
func TestConcurrentRepeats(t *testing.T) {
	t.Parallel()
	c := testdesk.Serve(t, t.TempDir())
	answers := make([]testdesk.Answer, 32)
	var senders sync.WaitGroup
	for i := range answers {
		senders.Go(func() {
			var err error
			answers[i], err = c.Try(t.Context(), "POST", "/v1/inquiries", testdesk.Inquiry("one", "mark-one."), testdesk.Header("Idempotency-Key", "same"))
			if err != nil {
				t.Error(err)
			}
		})
	}
	senders.Wait()
	for _, a := range answers {
		if a.Status != http.StatusCreated || string(a.Body) != string(answers[0].Body) {
			t.Errorf("%s, want %s", a, answers[0])
		}
	}
	c.TookOnce(t, "mark-one.")
}

// TestKeysAreUsedOnce sends other requests with a key that was used, before and after the vault has lost what the key came to, as when
// a process is killed between the two.
func TestKeysAreUsedOnce(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	c := testdesk.Serve(t, folder)
	once := testdesk.Header("Idempotency-Key", "once")
	nora, ben := c.Must(t, 201, "POST", "/v1/contacts", map[string]any{"name": "Nora"}).ID(t), c.Must(t, 201, "POST", "/v1/contacts", map[string]any{"name": "Ben"}).ID(t)
	edit := map[string]any{"note": "mark-once."}
	before := c.Must(t, 200, "PATCH", "/v1/contacts/"+nora, edit, once)
	c.Refused(t, 422, "idempotency-key-reused", "PATCH", "/v1/contacts/"+ben, edit, once)
	c.Refused(t, 422, "idempotency-key-reused", "PATCH", "/v1/contacts/"+nora, map[string]any{"note": "another"}, once)
	c.Must(t, 200, "PATCH", "/v1/contacts/"+nora, map[string]any{"language": "it"})
	repeat := func(when string) {
		t.Helper()
		after := c.Must(t, 200, "PATCH", "/v1/contacts/"+nora, edit, once)
		if string(after.Body) != string(before.Body) || after.Header.Get("Idempotent-Replayed") != "true" {
			t.Errorf("%s: the first answer was %s, the next %s", when, before, after)
		}
	}
	repeat("from the outcome")
	db, err := sql.Open("sqlite", "file:"+filepath.Join(folder, "vault.db")+"?_pragma=busy_timeout(5000)")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	testdesk.Eventually(t, "the outcome is stored", func() bool {
		done, err := db.Exec("DELETE FROM outcomes")
		if err != nil {
			t.Fatal(err)
		}
		n, err := done.RowsAffected()
		return err == nil && n == 1
	})
	c.Refused(t, 422, "idempotency-key-reused", "PATCH", "/v1/contacts/"+nora, map[string]any{"note": "another"}, once)
	repeat("from the log")
	c.TookOnce(t, "mark-once.")
}
