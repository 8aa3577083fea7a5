package api_test

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"daybook/api"
	"daybook/internal/testdesk"
)

// TestTextThatIsNone sends what is no text by every door: headers, paths, queries and bodies. It is refused where it comes
// in, and nothing of it reaches the log or the read models. Cases 1.1, 1.2, 1.3, 1.4, 1.7 and 1.9.
func TestTextThatIsNone(t *testing.T) {
	t.Parallel()
	c := testdesk.Serve(t, t.TempDir())
	nora := c.Must(t, 201, "POST", "/v1/contacts", map[string]any{"name": "Nora"}).ID(t)
	ticket := "/v1/tickets/" + c.Must(t, 201, "POST", "/v1/inquiries", testdesk.Inquiry("nora", "Help")).ID(t)
	c.CaughtUp(t)
	head := c.Get(t, "/v1/contacts/"+nora).Position()

	for _, bad := range []string{"%00", "%ff", "a%c3", "%ed%a0%bd", "%07", "%7f", "%c2%85", "a%1bb"} {
		for _, at := range []struct{ path, parameter string }{
			{"/v1/contacts?q=" + bad, "q"}, {"/v1/contacts?ref=" + bad, "ref"}, {"/v1/contacts?tag=" + bad, "tag"}, {"/v1/contacts?tag=vip&tag_not=" + bad, "tag_not"},
			{"/v1/contacts?group=" + bad, "group"}, {"/v1/contacts?sort=" + bad, "sort"}, {"/v1/contacts?cursor=" + bad, "cursor"},
			{"/v1/contacts?identity=visitor:" + bad, "identity"}, {"/v1/contacts?country=" + bad, "country"}, {"/v1/contacts?seen_from=" + bad, "seen_from"}, {"/v1/fields?q=" + bad, "q"},
			{"/v1/tickets?identity=visitor:" + bad, "identity"}, {"/v1/tickets?company_now=" + bad, "company_now"},
			{"/v1/companies?q=" + bad, "q"}, {"/v1/agents?ref=" + bad, "ref"}, {"/v1/tickets?ref=" + bad, "ref"}, {"/v1/tickets?tag=" + bad, "tag"}, {"/v1/tickets?agent=" + bad, "agent"},
			{"/v1/events?stream=" + bad, "stream"}, {"/v1/events?type=" + bad, "type"}, {"/v1/events?actor=" + bad, "actor"}, {"/v1/events?correlation=" + bad, "correlation"},
			{"/v1/events/stream?type=" + bad, "type"}, {"/v1/events/" + bad + "/0", "stream"}, {"/v1/contacts/" + nora + "?as_of=" + bad, "as_of"},
			{"/v1/reports/agents?from=2026-01-01&to=2026-01-02&tz=" + bad, "tz"},
		} {
			p := c.Refused(t, 422, "text-encoding", "GET", at.path, nil)
			if len(p.Errors) != 1 || p.Errors[0].Parameter != at.parameter {
				t.Errorf("%s: %+v does not name %s", at.path, p.Errors, at.parameter)
			}
		}
		c.Refused(t, 422, "text-encoding", "PUT", "/v1/contacts/"+nora+"/tags/"+bad, nil)
		c.Refused(t, 422, "text-encoding", "DELETE", ticket+"/tags/"+bad, nil)
		c.Refused(t, 422, "text-encoding", "PUT", "/v1/contacts/"+nora+"/fields/"+bad, map[string]any{"value": "x"})
	}
	for _, door := range [][3]string{
		{"POST", "/v1/contacts/" + nora + "/identify", `{"customer":"a\u0000b"}`}, {"POST", "/v1/contacts/lookup", `{"identity":{"kind":"visitor","value":"a\u0007b"}}`},
		{"POST", "/v1/visits", `{"visitor":"a\u0000b"}`}, {"POST", "/v1/visits", `{"visitor":"v","page":"https://shop.example/\u0000"}`}, {"POST", "/v1/contacts/" + nora + "/notes", `{"body":"a\u0000b"}`},
		{"POST", "/v1/fields", `{"scope":"contacts","type":"text","name":"a\u0000b"}`}, {"PUT", "/v1/contacts/" + nora + "/fields/" + nora, `{"value":"a\u0000b"}`},
		{"POST", "/v1/inquiries", `{"channel":"chat","from":{"visitor":"v","language":"i\u0000t"}}`},
	} {
		c.Refused(t, 422, "text-encoding", door[0], door[1], door[2])
		c.Refused(t, 400, "malformed", door[0], door[1], strings.NewReplacer(`\u0000`, "\xff", `\u0007`, "\xff").Replace(door[2]))
	}
	for _, name := range []string{"Daybook-Reason", "Idempotency-Key", "If-Match"} {
		for _, bad := range []string{"caf\xe9", "\xff", "a\xc2\x85b"} {
			p := c.Refused(t, 422, "text-encoding", "PATCH", "/v1/contacts/"+nora, map[string]any{"name": "Leaked"}, testdesk.Header(name, bad))
			if len(p.Errors) != 1 || p.Errors[0].Parameter != name {
				t.Errorf("%+v does not name %s", p.Errors, name)
			}
		}
	}
	for _, bad := range []struct {
		status              int
		code, body, pointer string
	}{
		{400, "malformed", "{\"name\":\"Andr\xe9\"}", ""},
		{400, "malformed", "{\"name\":\"\xed\xa0\xbd\"}", ""},
		{400, "malformed", `{"name":"\ud83d"}`, ""},
		{400, "malformed", `{"name":"\ud83dx"}`, ""},
		{400, "malformed", `{"name":"\ud83d","note":null}`, ""},
		{400, "malformed", `{"name":"\ud83d\n\ude00"}`, ""},
		{400, "malformed", `{"name":"\ude00\ud83d"}`, ""},
		{400, "malformed", `{"name":5,"name":"x"}`, ""},
		{400, "malformed", `{"name":"x","n\u0061me":"y"}`, ""},
		{422, "text-encoding", `{"name":"a\u0000b"}`, "/name"},
		{422, "text-encoding", `{"name":"a\u0007b"}`, "/name"},
		{422, "text-encoding", "{\"name\":\"a\u0085b\"}", "/name"},
		{422, "text-encoding", `{"name":"Leaked","emails":["a@customers.example","\u0001b@customers.example"]}`, "/emails/1"},
		{422, "text-too-long", `{"name":"Leaked","note":"` + strings.Repeat("x", 256<<10+1) + `"}`, "/note"},
	} {
		p := c.Refused(t, bad.status, bad.code, "POST", "/v1/contacts", bad.body)
		if bad.pointer != "" && (len(p.Errors) != 1 || p.Errors[0].Pointer != bad.pointer) {
			t.Errorf("%.60q: %+v does not point at %s", bad.body, p.Errors, bad.pointer)
		}
		if strings.Contains(p.Detail, "Go ") || strings.Contains(p.Detail, "commands.") || strings.Contains(p.Detail, "json:") {
			t.Errorf("%.60q: %s", bad.body, p.Detail)
		}
	}
	for _, charset := range []string{"iso-8859-1", "utf-16", `"latin1"`} {
		c.Refused(t, 415, "media-type", "POST", "/v1/contacts", `{"name":"Leaked"}`, testdesk.Header("Content-Type", "application/json; charset="+charset))
		c.Refused(t, 415, "media-type", "POST", "/v1/import", `{}`, testdesk.Header("Content-Type", "application/x-ndjson; charset="+charset))
	}
	for _, encoding := range []string{"gzip", "br", "GZIP", "identity, gzip"} {
		c.Refused(t, 415, "content-encoding", "POST", "/v1/contacts", `{"name":"Leaked"}`, testdesk.Header("Content-Encoding", encoding))
	}
	c.Refused(t, 415, "content-encoding", "POST", "/v1/import", `{}`, testdesk.Header("Content-Type", "application/x-ndjson"), testdesk.Header("Content-Encoding", "br"))
	c.Must(t, 200, "POST", "/v1/import", packed(t, "{}"), testdesk.Header("Content-Type", "application/x-ndjson"), testdesk.Header("Content-Encoding", "gzip"))
	c.Must(t, 201, "POST", "/v1/contacts", "{\"name\":\"\\ud83d\\ude00 \\\\ud83d\",\"note\":\"a\\tb\\r\\nc\"}", testdesk.Header("Content-Type", `application/json; charset="UTF-8"`))
	c.Refused(t, 422, "text-too-long", "POST", ticket+"/notes", map[string]any{"body": strings.Repeat("😀", 100_000)})
	c.CaughtUp(t)
	if events := c.All(t, "/v1/events?after="+head); len(events) != 1 {
		t.Errorf("%d events were written, want that of one contact", len(events))
	}
}

// TestTextIsKept writes text that is composed otherwise, and reads it as NFC everywhere; names that other systems gave stay as
// they are. Cases 1.1, 1.2, 1.5 and 1.6.
func TestTextIsKept(t *testing.T) {
	t.Parallel()
	c := testdesk.Serve(t, t.TempDir())
	const apart, composed = "Andre\u0301", "André"
	made := c.Must(t, 201, "POST", "/v1/contacts", map[string]any{"name": apart, "note": " " + apart + "\n"}, testdesk.Header("Daybook-Reason", apart+" asked"))
	c.CaughtUp(t)
	if got := c.Get(t, "/v1/contacts/"+made.ID(t)).Object(t); got["name"] != composed || got["note"] != composed {
		t.Errorf("%v", got)
	}
	if found := c.All(t, "/v1/contacts?q="+"Andre%CC%81"); len(found) != 1 {
		t.Errorf("%d contacts are found, want 1", len(found))
	}
	if events := c.All(t, "/v1/events?stream=contact-"+made.ID(t)); events[0]["reason"] != composed+" asked" {
		t.Errorf("%v", events[0]["reason"])
	}

	line := func(id, ref string) string {
		return `{"id":"` + id + `","at":"2026-03-02T08:00:00Z","by":"system","do":"contact.register","contact":"` + ref + `","name":"N"}`
	}
	lines := []string{
		"\ufeff" + line("1", apart), line("2", composed), "\ufeff" + line("3", "c"), // a byte order mark, also between joined files
		line("\xe9", "d"), line("\xe8", "e"), line("4", "Andr\xe9"), line("5", "Andr\xe8"), line("6", `nul\u0000`), line("7", `\ud83d`), line(`8\u0007`, "f"),
		strings.Replace(line("9", "g"), `"name"`, `"contact":"h","name"`, 1),
	}
	answer := c.Play(t, []byte(strings.Join(lines, "\n")))
	if answer.Accepted != 3 || answer.Malformed != 8 {
		t.Errorf("%+v", answer)
	}
	c.CaughtUp(t)
	for ref, want := range map[string]int{"Andre%CC%81": 1, "Andr%C3%A9": 1, "c": 1} {
		if found := c.All(t, "/v1/contacts?ref="+ref); len(found) != want {
			t.Errorf("%d contacts have the ref %s", len(found), ref)
		}
	}
	var packed bytes.Buffer
	packed.WriteString("\ufeff")
	w := gzip.NewWriter(&packed)
	fmt.Fprintln(w, line("10", "i"))
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if answer := c.Play(t, packed.Bytes()); answer.Accepted != 1 {
		t.Errorf("a packed journal after a byte order mark: %+v", answer)
	}
}

// TestBodiesAtTheLimit sends bodies of the largest size and of one byte more, and bodies that end too early. Cases 1.8 and 1.10.
func TestBodiesAtTheLimit(t *testing.T) {
	t.Parallel()
	c := testdesk.Serve(t, t.TempDir())
	body := func(size int) string {
		return `{"name":"N"` + strings.Repeat(" ", size-len(`{"name":"N"}`)) + `}`
	}
	c.Must(t, 201, "POST", "/v1/contacts", body(1<<20))
	c.Refused(t, 413, "too-large", "POST", "/v1/contacts", body(1<<20+1))
	for path, contentType := range map[string]string{"/v1/contacts": "application/json", "/v1/import": "application/x-ndjson"} {
		for _, rest := range []string{
			"Content-Length: 100\r\n\r\n{\"name\":\"N\"}", "Transfer-Encoding: chunked\r\n\r\nzz\r\n", "Transfer-Encoding: chunked\r\n\r\n5\r\n{\"nam",
		} {
			status, p := cutOff(t, c, "POST "+path+" HTTP/1.1\r\nHost: desk\r\nAuthorization: Bearer "+c.Key+"\r\nContent-Type: "+contentType+"\r\n"+rest)
			if status != 400 || p.Code != "body-incomplete" {
				t.Errorf("%s %q: %d %+v", path, rest, status, p)
			}
		}
	}
}

// raw sends bytes to a desk, and returns its answer.
func raw(t *testing.T, c testdesk.Client, bytes string) (int, api.Problem) {
	t.Helper()
	return sendRaw(t, c, bytes, func(*net.TCPConn) error { return nil })
}

// cutOff is raw for a client that closes its side then.
func cutOff(t *testing.T, c testdesk.Client, bytes string) (int, api.Problem) {
	t.Helper()
	return sendRaw(t, c, bytes, (*net.TCPConn).CloseWrite)
}

func sendRaw(t *testing.T, c testdesk.Client, bytes string, then func(*net.TCPConn) error) (int, api.Problem) {
	t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(c.URL, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprint(conn, bytes)
	if err := then(conn.(*net.TCPConn)); err != nil {
		t.Fatal(err)
	}
	response, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	var p api.Problem
	if err := json.NewDecoder(response.Body).Decode(&p); err != nil && response.StatusCode >= 400 {
		t.Fatal(err)
	}
	testdesk.Met.Note(response.StatusCode, p.Code, p.Detail)
	return response.StatusCode, p
}

// TestTextIsWhatCame writes many texts as bodies, reasons and lines of a journal. Each is refused, or read again as it came, in NFC
// and without the space around it.
func TestTextIsWhatCame(t *testing.T) {
	t.Parallel()
	c := testdesk.Serve(t, t.TempDir())
	ticket := c.Must(t, 201, "POST", "/v1/inquiries", testdesk.Inquiry("nora", "Help")).ID(t)
	random := testdesk.Chance(t)
	parts := []string{"a", "é", "e\u0301", "\u212b", "ﬁ", "한", "\u1112\u1161\u11ab", "😀", "\u200d", "\ufffd", "\ufffe", "\U0010ffff", "\u2028", "%", "_", `\`, `"`, "'", "\t", "\r\n", "\n", " ", "\u00a0", "\u202e", "\x00", "\x01", "\x7f", "\u0085", "\u009f", "\xff", "\xed\xa0\xbd"}
	stored := map[string]int{}
	for n := range 150 {
		sent := fmt.Sprintf("mark %d ", n)
		for range 1 + random.IntN(6) {
			sent += parts[random.IntN(len(parts))]
		}
		kept := norm.NFC.String(strings.TrimSpace(sent))
		good := utf8.ValidString(sent) && !strings.ContainsAny(sent, "\x00\x01\x7f\u0085\u009f")
		quoted, _ := json.Marshal(sent)
		if !utf8.ValidString(sent) {
			quoted = []byte(`"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\t", `\t`, "\r", `\r`, "\n", `\n`, "\x00", `\u0000`, "\x01", `\u0001`).Replace(sent) + `"`)
		}
		a := c.Do(t, "POST", "/v1/tickets/"+ticket+"/notes", `{"body":`+string(quoted)+`}`)
		if good != (a.Status == 200) || !good && a.Status != 400 && a.Status != 422 {
			t.Errorf("%q: %s", sent, a)
		}
		line := fmt.Sprintf(`{"id":"%d","at":"2026-03-02T08:00:00Z","by":"system","do":"contact.register","contact":%s,"name":"N","note":%s}`, n, quoted, quoted)
		if played := c.Play(t, []byte(line)); good != (played.Malformed == 0) || good && played.Rejected > 0 {
			t.Errorf("%q: %+v", sent, played)
		}
		if good {
			stored[kept]++
			if strings.ContainsAny(sent, "\r\n") {
				continue
			}
			found := c.Get(t, "/v1/contacts?ref="+url.QueryEscape(sent), testdesk.Header("Daybook-After", c.Must(t, 200, "POST", "/v1/tickets/"+ticket+"/notes", map[string]any{"body": "last"}).Position()), testdesk.Header("Prefer", "wait=60"))
			var list struct{ Data []struct{ Ref, Note string } }
			found.Into(t, &list)
			if len(list.Data) != 1 || list.Data[0].Ref != sent || list.Data[0].Note != kept {
				t.Errorf("%q is kept as %s", sent, found)
			}
		}
	}
	c.CaughtUp(t)
	for _, e := range c.All(t, "/v1/events?type=ticket-noted&stream=ticket-"+ticket) {
		if body, _ := e["data"].(map[string]any)["body"].(string); strings.HasPrefix(body, "mark") {
			if stored[body]--; stored[body] < 0 {
				t.Errorf("%q was not sent", body)
			}
		}
	}
	for text, left := range stored {
		if left > 0 {
			t.Errorf("%q is not there", text)
		}
	}
}
