package api_test

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"daybook/internal/testdesk"
)

// A contractParameter is a parameter of an operation in the OpenAPI document.
type contractParameter struct {
	Name, In string
	Schema   struct{ Format string }
}

// TestContract reads the OpenAPI document as the author of a client does. Case 3.18.
func TestContract(t *testing.T) {
	t.Parallel()
	c := testdesk.Serve(t, t.TempDir())
	answer := c.Get(t, "/openapi.json")
	var doc struct {
		Servers []any
		Paths   map[string]map[string]struct {
			OperationID          string `json:"operationId"`
			Summary, Description string
			Parameters           []contractParameter
			Responses            map[string]struct {
				Content map[string]any
				Ref     string `json:"$ref"`
			}
		}
	}
	answer.Into(t, &doc)
	if len(doc.Servers) == 0 {
		t.Error("no servers")
	}
	ids := map[string]string{}
	for path, operations := range doc.Paths {
		for method, op := range operations {
			route := strings.ToUpper(method) + " " + path
			if ids[op.OperationID] != "" || !regexp.MustCompile(`^[a-z]+([A-Z]+[a-z]*)*$`).MatchString(op.OperationID) {
				t.Errorf("%s is called %q", route, op.OperationID)
			}
			if ids[op.OperationID] = route; op.Summary == "" || op.Description == "" {
				t.Errorf("%s has no summary or no description", route)
			}
			has := func(in, name string) bool {
				return slices.ContainsFunc(op.Parameters, func(p contractParameter) bool { return p.In == in && p.Name == name })
			}
			for _, p := range op.Parameters {
				isID := p.Name == "id" || strings.HasSuffix(p.Name, "_id")
				if p.In == "path" && isID != (p.Schema.Format == "uuid") || p.Name == "other" || p.In == "header" && slices.Contains([]string{"Accept", "Authorization", "Content-Type"}, p.Name) {
					t.Errorf("%s has the parameter %+v", route, p)
				}
			}
			for status, means := range map[string]bool{
				"401": path != "/healthz", "404": strings.Contains(path, "{") || has("query", "tag") || has("query", "group") || slices.Contains([]string{"/v1/inquiries", "/v1/visits", "/v1/contacts/lookup"}, path), "412": method != "get", "429": path != "/healthz",
			} {
				if _, says := op.Responses[status]; says != means {
					t.Errorf("%s says of %s: %t", route, status, says)
				}
			}
			if has("header", "If-Match") != (method != "get" && strings.Contains(path, "{id}")) {
				t.Errorf("%s with If-Match: %t", route, has("header", "If-Match"))
			}
		}
	}
	for id, route := range map[string]string{
		"listContacts": "GET /v1/contacts", "createContact": "POST /v1/contacts", "addContactTag": "PUT /v1/contacts/{id}/tags/{tag}",
		"listContactTickets": "GET /v1/contacts/{id}/tickets", "resolveTicket": "POST /v1/tickets/{id}/resolve", "getAgentReport": "GET /v1/reports/agents",
		"addAgentDepartment": "PUT /v1/agents/{id}/departments/{department_id}",
	} {
		if ids[id] != route {
			t.Errorf("%s is %q, want %q", id, ids[id], route)
		}
	}
	for path, types := range map[string]string{"/v1/reports/agents.csv": "text/csv", "/v1/events/stream": "text/event-stream", "/v1/reports/agents": "application/json text/csv"} {
		for _, contentType := range strings.Fields(types) {
			if content := doc.Paths[path]["get"].Responses["200"].Content; content[contentType] == nil || len(content) != len(strings.Fields(types)) {
				t.Errorf("%s is answered with %v", path, content)
			}
		}
	}
	enums(t, answer.Object(t), "")
	// What an answer would need a thing for is refused where there is none yet.
	c.Refused(t, 412, "stale", "POST", "/v1/contacts", map[string]any{"name": "Nora"}, testdesk.Header("If-Match", "*"))
	c.Refused(t, 412, "stale", "POST", "/v1/projections/verify", nil, testdesk.Header("If-Match", `"1"`))
	if csv := c.Get(t, "/v1/reports/agents.csv?from=2026-01-01&to=2026-01-02"); !strings.HasPrefix(csv.Header.Get("Content-Type"), "text/csv") {
		t.Errorf("%s", csv)
	}
}

// enums finds values that are listed elsewhere than in a schema with a name.
func enums(t *testing.T, at any, path string) {
	t.Helper()
	switch at := at.(type) {
	case map[string]any:
		if at["enum"] != nil && !regexp.MustCompile(`^/components/schemas/\w+$`).MatchString(path) {
			t.Errorf("%s lists %v", path, at["enum"])
		}
		for name, member := range at {
			enums(t, member, path+"/"+name)
		}
	case []any:
		for _, member := range at {
			enums(t, member, path)
		}
	}
}
