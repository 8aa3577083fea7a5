package main

import (
	"fmt"
	"testing"

	"daybook/internal/testdb"
	"daybook/internal/testdesk"
)

// TestTurns has two processes take turns editing one contact.
func TestTurns(t *testing.T) {
	t.Parallel()
	folder, u := t.TempDir(), testdb.URL(t)
	var desks [2]testdesk.Client
	for i := range desks {
		desks[i], _ = reexec.StartServer(t, folder, append(shared(u, u), "--only", "api")...)
	}
	contact := "/v1/contacts/" + desks[0].Must(t, 201, "POST", "/v1/contacts", map[string]any{"name": "Nora"}).ID(t)
	for i := range 8 {
		desks[(i+1)%2].Must(t, 200, "PATCH", contact, map[string]any{"note": fmt.Sprint("Edit ", i)})
	}
}
