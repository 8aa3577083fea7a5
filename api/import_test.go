package api_test

import (
	"fmt"
	"testing"

	"daybook/internal/testdesk"
)

// TestJournalOverTheAPI imports the shipped journal by POST /v1/import, and checks the outcome of each line.
func TestJournalOverTheAPI(t *testing.T) {
	t.Parallel()
	want := testdesk.ExpectedOfJournal(t)
	c := testdesk.Serve(t, t.TempDir())
	got := c.Play(t, testdesk.Journal(t))
	if got.Counts != want.Counts() {
		t.Errorf("got %+v, want %+v", got.Counts, want.Counts())
	}
	for i, o := range want.Outcomes {
		if g := got.Outcomes[i]; g.Line != o.Line || g.Outcome != o.Outcome {
			t.Errorf("line %d: %+v, want %s", o.Line, g, o.Outcome)
		}
	}
	c.CaughtUp(t)
	want.Holds(t, c)
}

// TestLinesAreStrict imports lines with a null, a field name in the wrong case, or an unknown field in an object.
func TestLinesAreStrict(t *testing.T) {
	t.Parallel()
	c := testdesk.Serve(t, t.TempDir())
	n := 0
	for fields, reason := range map[string]string{
		`"do":"contact.edit","contact":"c","set":{"note":null}`:                                           "set has a wrong field: note must not be null",
		`"do":"contact.edit","contact":"c","set":{"Note":"n"}`:                                            `set has a wrong field: unknown field "Note"`,
		`"do":"contact.edit","contact":"c","set":{"emails":"n"}`:                                          "set has a wrong field: emails must not be a string",
		`"do":"contact.edit","contact":"c","set":"note"`:                                                  "set must not be a string",
		`"do":"ticket.open","ticket":"t","channel":"email","subject":"S","from":{"email":null}`:           "from has a wrong field: email must not be null",
		`"do":"ticket.open","ticket":"t","channel":"email","subject":"S","from":{"email":"e","telex":""}`: `from has a wrong field: unknown field "telex"`,
	} {
		n++
		got := c.Play(t, fmt.Appendf(nil, `{"id":"%d","at":"2026-01-05T10:00:00Z","by":"system",%s}`, n, fields))
		if got.Malformed != 1 || got.Outcomes[0].Reason != reason {
			t.Errorf("%s: %+v, want %q", fields, got, reason)
		}
	}
}
