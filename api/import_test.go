package api_test

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"strings"
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

// TestLinesOutOfOrder imports lines of presence in another order than that of their instants. Each is stored, since a report by
// instants needs it. Lines in order that say nothing new are not.
func TestLinesOutOfOrder(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]struct{ lines, comeTo []string }{
		"a break that begins before its session": {
			[]string{"10:00 agent.pause", "08:00 agent.sign_in", "11:00 agent.unpause", "16:00 agent.sign_out"}, []string{"accepted", "accepted", "accepted", "accepted"},
		},
		"a session that ends before it begins": {
			[]string{"16:00 agent.sign_out", "08:00 agent.sign_in", "09:00 agent.sign_in"}, []string{"accepted", "accepted", "accepted"},
		},
		"in order": {
			[]string{"08:00 agent.sign_in", "09:00 agent.sign_in", "10:00 agent.unpause", "11:00 agent.sign_out", "12:00 agent.sign_out"},
			[]string{"accepted", "unchanged", "unchanged", "accepted", "accepted"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := testdesk.Serve(t, t.TempDir())
			journal := []byte(`{"id":"a","at":"2026-01-01T00:00:00Z","by":"system","do":"agent.create","agent":"ann","name":"Ann","email":"ann@desk.example","role":"agent"}` + "\n")
			for i, line := range want.lines {
				at, do, _ := strings.Cut(line, " ")
				fields := map[string]any{"id": fmt.Sprint(i), "at": "2026-01-05T" + at + ":00Z", "by": "agent:ann", "do": do, "agent": "ann"}
				if strings.Contains(do, "sign") {
					fields["device"] = "panel"
				}
				text, err := json.Marshal(fields)
				if err != nil {
					t.Fatal(err)
				}
				journal = append(append(journal, text...), '\n')
			}
			for i, o := range c.Play(t, journal).Outcomes[1:] {
				if o.Outcome != want.comeTo[i] {
					t.Errorf("%s is %s, want %s", want.lines[i], o.Outcome, want.comeTo[i])
				}
			}
		})
	}
}

// TestContactsWriteMessages: by a journal, too, a contact's words are sealed under the contact's own key.
func TestContactsWriteMessages(t *testing.T) {
	t.Parallel()
	c := testdesk.Serve(t, t.TempDir())
	lines := []string{
		`"by":"system","do":"contact.register","contact":"amy","name":"Amy"`, `"by":"system","do":"contact.register","contact":"bob","name":"Bob"`,
		`"by":"contact:amy","do":"ticket.open","ticket":"t","channel":"email","subject":"S","contact":"amy"`,
		`"by":"contact:bob","do":"ticket.receive","ticket":"t","body":"b"`,
		`"by":"contact:bob","do":"ticket.reply","ticket":"t","body":"b"`, `"by":"contact","do":"ticket.note","ticket":"t","body":"b"`,
		`"by":"contact:bob","do":"ticket.correct_subject","ticket":"t","subject":"b"`,
		`"by":"contact:bob","do":"ticket.open","ticket":"u","channel":"email","subject":"S","contact":"amy"`,
	}
	var journal []byte
	for i, line := range lines {
		journal = fmt.Appendf(journal, `{"id":"%d","at":"2026-01-05T10:00:00Z",%s}`+"\n", i, line)
	}
	for i, o := range c.Play(t, journal).Outcomes {
		if want := i > 3; (o.Outcome == "rejected" && o.Code == "not-by-contact") != want {
			t.Errorf("%s: %+v", lines[i], o)
		}
	}
}

// TestLinesSayAllThatIsWrong: of a line with several wrong fields, the reason names each.
func TestLinesSayAllThatIsWrong(t *testing.T) {
	t.Parallel()
	c := testdesk.Serve(t, t.TempDir())
	got := c.Play(t, []byte(`{"id":"1","at":"2026-01-05T10:00:00Z","by":"system","do":"contact.register","contact":"nora","name":"A\nB","emails":["no"]}`)).Outcomes[0]
	if got.Code != "invalid" || !strings.Contains(got.Reason, "name must be one line") || !strings.Contains(got.Reason, "emails") {
		t.Errorf("%+v", got)
	}
}

// TestInstants: a line's instant is from 1900 to 2200.
func TestInstants(t *testing.T) {
	t.Parallel()
	c := testdesk.Serve(t, t.TempDir())
	for at, malformed := range map[string]int{"1899-12-31T23:59:59Z": 1, "1900-01-01T00:00:00Z": 0, "2201-01-01T00:00:00Z": 1} {
		line := fmt.Appendf(nil, `{"id":%q,"at":%q,"by":"system","do":"department.create","department":%q,"name":"D"}`, at, at, at)
		if got := c.Play(t, line); got.Malformed != malformed {
			t.Errorf("%s: %+v", at, got)
		}
	}
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

// TestImportsHaveLimits imports journals that unpack to more than the limit, and one with very many refused lines. Case 5.1.
func TestImportsHaveLimits(t *testing.T) {
	t.Parallel()
	c := testdesk.Serve(t, t.TempDir(), "--limit-unpacked", "1000000")
	change := []testdesk.With{testdesk.Header("Content-Type", "application/x-ndjson")}
	for name, lines := range map[string]string{"one long line": strings.Repeat("x", 16<<20), "many lines": strings.Repeat("{}\n", 1<<20)} {
		packed := packed(t, lines)
		if a := c.Refused(t, 413, "journal-too-large", "POST", "/v1/import", packed, change...); !strings.Contains(a.Detail, "1000000") {
			t.Errorf("%s: %s", name, a.Detail)
		}
		a := c.Do(t, "POST", "/v1/import", packed, append(change, testdesk.Header("Accept", "application/x-ndjson"))...)
		lines := strings.Split(strings.TrimSpace(string(a.Body)), "\n")
		if !strings.Contains(lines[len(lines)-1], `"code":"journal-too-large"`) || a.Status == 200 && strings.Count(string(a.Body), `"outcome":"malformed"`) != len(lines)-1 {
			t.Errorf("%s: %d, %d lines, %s", name, a.Status, len(lines), lines[len(lines)-1])
		}
	}
	many := strings.Repeat("{}\n", 5000)
	var answer struct {
		Malformed int
		Refused   []struct{ Line int }
	}
	if a := c.Must(t, 200, "POST", "/v1/import", packed(t, many), change...); len(a.Body) > 200_000 {
		t.Errorf("the answer has %d bytes", len(a.Body))
	} else {
		a.Into(t, &answer)
	}
	if answer.Malformed != 5000 || len(answer.Refused) != 1000 || answer.Refused[999].Line != 1000 {
		t.Errorf("%d malformed, %d refused", answer.Malformed, len(answer.Refused))
	}
	if played := c.Play(t, []byte(many)); played.Malformed != 5000 || len(played.Outcomes) != 5000 {
		t.Errorf("%+v, %d outcomes", played.Counts, len(played.Outcomes))
	}
}

func packed(t *testing.T, text string) []byte {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	if _, err := w.Write([]byte(text)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}
