package api_test

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/uuid"

	"daybook/internal/testdesk"
	"daybook/vault"
)

// TestForgottenWhileServed destroys a contact's key in another process while the desk is served. From then on the server
// neither shows nor stores a text about the contact, in what it remembers either; all else goes on.
func TestForgottenWhileServed(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	c := testdesk.Serve(t, folder)
	made := wrote(t, c, 201, map[string]any{"name": "Nora", "email": "nora@customers.example"}, map[string]any{"channel": "email", "subject": "Private"})
	wrote(t, c, 201, map[string]any{"name": "Eva", "email": "nora@customers.example"}, map[string]any{"channel": "email"}) // an offer
	nora, ticket := made["contact_id"].(string), "/v1/tickets/"+made["id"].(string)
	c.Must(t, 200, "POST", ticket+"/notes", map[string]any{"body": "remembered"}) // the server remembers the ticket
	c.Must(t, 200, "PATCH", "/v1/contacts/"+nora, map[string]any{"note": "remembered"})
	c.Must(t, 200, "PUT", "/v1/contacts/"+nora+"/avatar", onePixel)
	note := c.Must(t, 201, "POST", "/v1/contacts/"+nora+"/notes", map[string]any{"body": "remembered"}).ID(t)
	c.CaughtUp(t)

	v, err := vault.Open(filepath.Join(folder, "vault.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer v.Close()
	if err := v.Destroy(t.Context(), uuid.MustParse(nora)); err != nil {
		t.Fatal(err)
	}

	c.Refused(t, 409, "person-forgotten", "PATCH", "/v1/contacts/"+nora, map[string]any{"note": "again"})
	c.Refused(t, 409, "person-forgotten", "POST", "/v1/contacts/"+nora+"/notes", map[string]any{"body": "again"})
	c.Refused(t, 409, "person-forgotten", "PATCH", "/v1/contacts/"+nora+"/notes/"+note, map[string]any{"body": "again"})
	c.Refused(t, 409, "person-forgotten", "PUT", "/v1/contacts/"+nora+"/avatar", onePixel)
	c.Refused(t, 410, "picture-destroyed", "GET", "/v1/contacts/"+nora+"/avatar", nil)
	c.Refused(t, 409, "person-forgotten", "POST", ticket+"/replies", map[string]any{"body": "Dear Nora"})
	c.Refused(t, 409, "person-forgotten", "POST", ticket+"/resolve", nil, testdesk.Header("Daybook-Reason", "Nora phoned"))
	c.Refused(t, 409, "person-forgotten", "POST", ticket+"/messages", map[string]any{"body": "It is me"})
	// What is no text goes on, and nothing else comes of it: an offer is not met because both names are gone.
	c.Must(t, 200, "PATCH", "/v1/contacts/"+nora, map[string]any{"time_zone": "Europe/Rome"})
	c.Refused(t, 409, "person-forgotten", "PATCH", "/v1/contacts/"+nora, map[string]any{"emails": []string{}})
	if met := c.All(t, "/v1/events?type=contact-offer-closed"); len(met) > 0 {
		t.Errorf("%v", met)
	}
	for range 2 { // the second time is a repeat, whose first digest nobody can read
		resolved := c.Must(t, 200, "POST", ticket+"/resolve", nil, testdesk.Header("Idempotency-Key", "k"))
		if strings.Contains(string(resolved.Body), "Private") || resolved.Object(t)["status"] != "resolved" {
			t.Errorf("resolved: %s", resolved)
		}
	}
	events := c.Get(t, "/v1/events")
	for _, text := range []string{"Nora", "Eva", "nora@", "Private", "remembered"} {
		if strings.Contains(string(events.Body), text) {
			t.Errorf("the trail shows %s", text)
		}
		if thread := c.Get(t, ticket+"/thread"); strings.Contains(string(thread.Body), text) {
			t.Errorf("the thread shows %s", text)
		}
	}

	// The address is not free for that, and whoever writes from it is not lost.
	c.Refused(t, 409, "taken", "POST", "/v1/contacts", map[string]any{"name": "Nora", "emails": []string{"nora@customers.example"}})
}
