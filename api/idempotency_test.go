package api_test

import (
	"net/http"
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
