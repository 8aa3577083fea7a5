package journal

import (
	"testing"
	"time"
	"unicode/utf8"

	"daybook/domain/text"
)

// FuzzParse parses arbitrary lines. Each must give a verb or a reason, and none may panic.
func FuzzParse(f *testing.F) {
	for name := range verbs {
		f.Add([]byte(`{"id":"a","at":"2026-03-02T08:00:00Z","by":"system","do":"` + name + `","ticket":"t","contact":"c","name":"n","set":{"name":1}}`))
	}
	f.Add([]byte(`{"id":"a","at":"yesterday"}`))
	f.Add([]byte(`[]`))
	f.Add([]byte("{\"id\":\"\xe9\",\"at\":\"2026-03-02T08:00:00Z\",\"by\":\"system\",\"do\":\"ticket.note\",\"ticket\":\"\\u0000\",\"body\":\"\\ud83d\"}"))
	f.Add([]byte(`{"id":`))
	f.Fuzz(func(t *testing.T, data []byte) {
		l := parse(raw{number: 1, bytes: data}, time.Now())
		if (l.verb == nil) == (l.malformed == nil) && l.malformed == nil {
			t.Error("neither a verb nor a reason")
		}
		if l.malformed == nil && (!utf8.Valid(data) || text.Check(l.ID) != nil || text.CheckJSON(data) != nil) {
			t.Error("a line that is no text is not malformed")
		}
		if l.malformed != nil && l.malformed.Error() == "" {
			t.Error("malformed without a reason")
		}
	})
}
