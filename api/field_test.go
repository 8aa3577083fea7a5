package api_test

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"daybook/internal/testdesk"
)

// TestCustomFields is rows 58, 59 and 61 to 65: the desk defines fields, and agents fill them in.
func TestCustomFields(t *testing.T) {
	t.Parallel()
	c := testdesk.Serve(t, t.TempDir())
	define := func(scope, name, kind string, order int) string {
		t.Helper()
		return c.Must(t, 201, "POST", "/v1/fields", map[string]any{"scope": scope, "name": name, "type": kind, "order": order}).ID(t)
	}
	fields := map[string]string{}
	for i, kind := range []string{"yes-no", "date", "number", "text"} {
		fields[kind] = define("contacts", "A "+kind, kind, 4-i)
	}
	branch := define("companies", "A text", "text", 0) // a name is of one scope
	c.Refused(t, 409, "taken", "POST", "/v1/fields", map[string]any{"scope": "contacts", "name": "a TEXT", "type": "number"})
	c.Refused(t, 422, "invalid", "POST", "/v1/fields", map[string]any{"scope": "contacts", "name": "B", "type": "colour"})
	c.CaughtUp(t)
	var names []string
	for _, f := range c.All(t, "/v1/fields?scope=contacts") {
		names = append(names, f["name"].(string))
	}
	if want := []string{"A text", "A number", "A date", "A yes-no"}; !slices.Equal(names, want) {
		t.Errorf("the fields are %q, want %q", names, want)
	}

	nora := c.Must(t, 201, "POST", "/v1/contacts", map[string]any{"name": "Nora"}).ID(t)
	path := "/v1/contacts/" + nora
	because := testdesk.Header("Daybook-Reason", "she said so")
	for kind, values := range map[string][2]any{
		"text": {" Wien, Österreich ", "Wien, Österreich"}, "number": {"0041.50", "41.5"}, "date": {"2014-02-01", "2014-02-01"}, "yes-no": {true, "yes"},
	} {
		a := c.Must(t, 200, "PUT", path+"/fields/"+fields[kind], map[string]any{"value": values[0]}, because).Object(t)
		if got := held(a, fields[kind]); got != values[1] {
			t.Errorf("%s: %v is kept as %v, want %v", kind, values[0], got, values[1])
		}
		if again := c.Must(t, 200, "PUT", path+"/fields/"+fields[kind], map[string]any{"value": values[0]}).Object(t); again["revision"] != a["revision"] {
			t.Errorf("%s: the same value again is a change", kind)
		}
	}
	last := timeline(t, c, nora)[0]
	if last["type"] != "contact-field-set" || last["reason"] != "she said so" || last["through"] != "api" || !strings.HasPrefix(last["actor"].(string), "agent:") {
		t.Errorf("%v", last)
	}
	if strings.Contains(fmt.Sprint(last["changes"]), "field:type") {
		t.Errorf("a field's type is shown as the contact's: %v", last["changes"])
	}
	c.Must(t, 200, "PUT", path+"/fields/a%20Number", map[string]any{"value": "42"}) // by its name
	if last := timeline(t, c, nora)[0]; !strings.Contains(fmt.Sprint(last["changes"]), "map[before:41.5 field:value value:42]") {
		t.Errorf("from what to what: %v", last["changes"])
	}
	for kind, value := range map[string]any{"number": "many", "date": "2014-02-30", "yes-no": "yes", "text": ""} {
		c.Refused(t, 422, "field-value-malformed", "PUT", path+"/fields/"+fields[kind], map[string]any{"value": value})
	}
	if found := c.All(t, "/v1/contacts?q=osterreich"); len(found) != 1 || found[0]["id"] != nora {
		t.Errorf("found by a word of a text field: %v", found)
	}
	if found := c.All(t, "/v1/contacts?q=42"); len(found) != 0 {
		t.Errorf("found by a number: %v", found)
	}

	before := c.Get(t, path).Object(t)
	c.Must(t, 200, "PATCH", "/v1/fields/"+fields["number"], map[string]any{"name": "Shoe size", "archived": true})
	if after := c.Get(t, path).Object(t); after["revision"] != before["revision"] || held(after, fields["number"]) != "42" {
		t.Errorf("renaming and archiving a field touched the contact: %v", after)
	}
	c.Refused(t, 409, "field-archived", "PUT", path+"/fields/"+fields["number"], map[string]any{"value": "43"})
	c.Must(t, 200, "DELETE", path+"/fields/"+fields["number"], nil)
	c.CaughtUp(t)
	if found := c.Get(t, path).Object(t); held(found, fields["number"]) != nil {
		t.Errorf("cleared: %v", found)
	}
	if last := timeline(t, c, nora)[0]; last["type"] != "contact-field-cleared" || !strings.Contains(fmt.Sprint(last["changes"]), "map[before:42 field:value value:]") {
		t.Errorf("from what to nothing: %v", last)
	}
	c.Refused(t, 404, "field-unknown", "PUT", path+"/fields/"+branch, map[string]any{"value": "x"})
	c.Refused(t, 404, "field-unknown", "PUT", path+"/fields/nothing", map[string]any{"value": "x"})

	acme := "/v1/companies/" + c.Must(t, 201, "POST", "/v1/companies", map[string]any{"name": "Acme"}).ID(t)
	if a := c.Must(t, 200, "PUT", acme+"/fields/A%20text", map[string]any{"value": "Retail"}).Object(t); held(a, branch) != "Retail" {
		t.Errorf("%v", a)
	}
	c.CaughtUp(t)
	if found := c.All(t, "/v1/companies?q=retail"); len(found) != 1 {
		t.Errorf("found by a word of a text field: %v", found)
	}
	if a := c.Must(t, 200, "DELETE", acme+"/fields/A%20text", nil).Object(t); held(a, branch) != nil {
		t.Errorf("%v", a)
	}
}

// held returns what a contact or a company has in a field.
func held(thing map[string]any, field string) any {
	for _, v := range thing["fields"].([]any) {
		if v := v.(map[string]any); v["field_id"] == field {
			return v["value"]
		}
	}
	return nil
}

// TestOneFieldOfAName has many define a field of one name at once: one of them does.
func TestOneFieldOfAName(t *testing.T) {
	t.Parallel()
	c := testdesk.Serve(t, t.TempDir())
	var all sync.WaitGroup
	statuses := make(chan int, 8)
	for range cap(statuses) {
		all.Go(func() {
			statuses <- c.Do(t, "POST", "/v1/fields", map[string]any{"scope": "contacts", "name": "Size", "type": "number"}).Status
		})
	}
	all.Wait()
	close(statuses)
	made := 0
	for status := range statuses {
		switch status {
		case 201:
			made++
		case 409:
		default:
			t.Errorf("answered %d", status)
		}
	}
	if made != 1 {
		t.Errorf("%d fields have one name", made)
	}
}
