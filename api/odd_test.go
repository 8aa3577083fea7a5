package api_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/google/uuid"

	"daybook/api"
	"daybook/internal/testdesk"
)

// TestOddRequests sends requests that it makes up from the OpenAPI document, some as they should be and some odd in a place or two,
// and lines of a journal likewise. Each is answered as the document says, and never as a failure. Afterwards the read models are
// at the end of the log and what the log says, nothing is parked, and the process has not grown. It sends some hundreds, or as
// many as DAYBOOK_SOAK (a duration, or 1 for a minute) has time for.
func TestOddRequests(t *testing.T) {
	t.Parallel()
	c := testdesk.Serve(t, t.TempDir())
	c.HTTP = &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 8}, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	document, err := openapi3.NewLoader().LoadFromData(c.Get(t, "/openapi.json").Body)
	if err != nil {
		t.Fatal(err)
	}
	var operations []oddOperation
	for path, item := range document.Paths.Map() {
		for method, op := range item.Operations() {
			operations = append(operations, oddOperation{method, path, op})
		}
	}
	slices.SortFunc(operations, func(a, b oddOperation) int { return strings.Compare(a.path+a.method, b.path+b.method) })
	requests, until := 400, time.Time{}
	if testdesk.Soak() {
		long, err := time.ParseDuration(os.Getenv("DAYBOOK_SOAK"))
		if err != nil {
			long = time.Minute
		}
		until = time.Now().Add(long)
	}
	random := testdesk.Chance(t)
	known := &knownThings{kept: map[string][]string{}}
	for name := range strings.FieldsSeq("vip bug Gold") {
		known.add("", name)
	}
	lines := bytes.Split(bytes.TrimSpace(testdesk.Journal(t)), []byte("\n"))
	var workers sync.WaitGroup
	for range 4 {
		odd := &oddities{rand.New(rand.NewPCG(random.Uint64(), 0)), known}
		workers.Go(func() {
			for n := 0; (n < requests || time.Now().Before(until)) && !t.Failed(); n++ {
				if odd.IntN(20) == 0 {
					odd.play(t, c, lines)
				} else {
					odd.send(t, c, operations[odd.IntN(len(operations))])
				}
			}
		})
	}
	workers.Wait()
	c.CaughtUp(t)
	c.Must(t, 200, "GET", "/readyz", nil)
	var list struct{ Data []api.ProjectionStatus }
	c.Get(t, "/v1/projections").Into(t, &list)
	for _, p := range list.Data {
		if len(p.Parked) > 0 || p.Failure != "" {
			t.Errorf("%+v", p)
		}
	}
	var v api.Verification
	c.Must(t, 200, "POST", "/v1/projections/verify", nil).Into(t, &v)
	if v.Verdict != api.AllWell {
		t.Errorf("%+v", v)
	}
	if resident := residentMemory.FindSubmatch(c.Get(t, "/metrics").Body); resident == nil {
		t.Error("no metric of the process's memory")
	} else if size, err := strconv.ParseFloat(string(resident[1]), 64); err != nil || size > 1<<30 {
		t.Errorf("the process has %g bytes of memory", size)
	}
	t.Logf("%s events", list.Data[0].Position)
}

var residentMemory = regexp.MustCompile(`(?m)^process_resident_memory_bytes (\S+)$`)

type oddOperation struct {
	method, path string
	*openapi3.Operation
}

// knownThings are ids and other texts of earlier answers, which requests name: ids by the kind of things in paths, other texts under
// the empty kind.
type knownThings struct {
	mu   sync.Mutex
	kept map[string][]string
}

func (k *knownThings) add(kind, text string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	list := append(k.kept[kind], text)
	if len(list) > 1000 { // old ones are of interest too
		list = slices.Delete(list, 300, 500)
	}
	k.kept[kind] = list
}

// any returns a text of a kind, mostly; of a kind that is empty, any other.
func (k *knownThings) any(odd *oddities, kind string) string {
	k.mu.Lock()
	defer k.mu.Unlock()
	if len(k.kept[kind]) == 0 || odd.IntN(10) == 0 {
		kind = odd.one(slices.Sorted(maps.Keys(k.kept))...)
	}
	return odd.one(k.kept[kind]...)
}

// named are the kinds of things that parameters and fields name.
var namedKinds = map[string]string{
	"contact": "contacts", "company": "companies", "agent": "agents", "department": "departments", "to": "departments", "tag": "tags", "tag_not": "tags", "group": "groups",
	"contact_id": "contacts", "company_id": "companies", "agent_id": "agents", "department_id": "departments",
	"follow_up_of": "tickets", "in_reply_to": "tickets",
}

// kindIn returns the kind of the things that a parameter names: in a path, the segment before it.
func kindIn(path, name string) string {
	before, _, found := strings.Cut(path, "/{"+name+"}")
	if !found {
		return namedKinds[name]
	}
	return before[strings.LastIndex(before, "/")+1:]
}

// learn notes what an answer tells.
func (k *knownThings) learn(path string, a testdesk.Answer) {
	for _, header := range []string{"ETag", "Daybook-Position"} {
		if value := a.Header.Get(header); value != "" {
			k.add("", value)
		}
	}
	var body map[string]any
	if json.Unmarshal(a.Body, &body) != nil {
		return
	}
	kind := ""
	if segments := strings.FieldsFunc(path, func(r rune) bool { return r == '/' || r == '?' }); len(segments) > 1 {
		kind = strings.Replace(segments[1], "inquiries", "tickets", 1)
	}
	if id, is := body["id"].(string); is && id != "" {
		k.add(kind, id)
	}
	for _, field := range []string{"next", "name", "stream"} {
		if text, is := body[field].(string); is && text != "" {
			k.add("", text)
		}
	}
}

// oddities make up values.
type oddities struct {
	*rand.Rand
	known *knownThings
}

func (o *oddities) one(of ...string) string { return of[o.IntN(len(of))] }

// oddTexts are texts that are hard to get right.
var oddTexts = []string{
	"", " ", "\t", "a\r\nb", "null", "true", "0", "-1", "%", "%%", "%00", "_", `\`, `"`, "'", "';--", "{}", "[]", "a,b", ",", "a/b", "..", ".", "../..", "//", "?", "#", "&", "=", ";",
	"é", "e\u0301", "\u212b", "ﬁ", "한", "😀", "👩‍👩‍👧", "\u200b", "\u202e", "\ufeff", "\ufffd", "\ufffe", "\U0010ffff", "\u2028", "\u0085", "\x7f", "\x01", "\x00", "\xff", "\xc3", "\xed\xa0\xbd",
	"İ", "ẞ", "ß", "ſ", "K", "ǅ", "١٢٣", "１２３", "+390669820004", "0039 06 6982 0004", "+39 06 6982 ext 4", "kim@example.org", "Kim@EXAMPLE.org", "kİm@example.org", "a@b", "@", "@xeno", "a@bücher.example", "a@xn--bcher-kva.example", "a@xn--zz.example",
	"none", "!x", "owner", "open", "system", "agent:00000000-0000-0000-0000-000000000000", "00000000-0000-0000-0000-000000000000", "ffffffff-ffff-ffff-ffff-ffffffffffff", "{00000000-0000-0000-0000-000000000000}",
	"urn:uuid:0191f3a0-7b4e-7cc2-9d3e-1a2b3c4d5e6f", "0191f3a07b4e7cc29d3e1a2b3c4d5e6f", "0191F3A0-7B4E-7CC2-9D3E-1A2B3C4D5E6F",
	"1970-01-01T00:00:00Z", "1900-01-01T00:00:00Z", "1899-12-31T23:59:59Z", "2200-12-31T23:59:59.999999Z", "2201-01-01T00:00:00Z", "9999-12-31T23:59:59-01:00", "0001-01-01T00:00:00Z", "2026-02-30T00:00:00Z",
	"2026-01-01T00:00:00.123456789+14:00", "2026-01-01T24:00:00Z", "2026-06-30T23:59:60Z", "2026-01-01", "0000-00-00", "2026-1-1", "9223372036854775807", "9223372036854775808", "18446744073709551615", "18446744073709551616", "1e3", "0x10", "+1", "01", "-0", "1.5", "NaN",
	"UTC", "Local", "Europe/Rome", "europe/rome", "../etc/passwd", "posixrules", "it", "IT-it", "zz", "x-private", "#fff", "#ffffff", "https://desk.example/a.png", "javascript:alert(1)", "http://[::1", "*", `"0"`, `W/"0"`, `"0", "1"`, `"`, "wait=0", "wait=-1", "wait=99999999999999999999", "handling=strict, wait=0",
}

// text makes up a text, which is valid UTF-8 without control characters unless wild.
func (o *oddities) text() string {
	switch o.IntN(12) {
	case 0, 1, 2:
		return o.one(oddTexts...)
	case 3:
		return o.known.any(o, "")
	case 4:
		return o.one(oddTexts...) + o.one(oddTexts...) + o.one(oddTexts...)
	case 5:
		if o.IntN(30) == 0 {
			return strings.Repeat(o.one("x", "é", "😀", "\u0301", "ﷺ", `"`), 1<<(8+o.IntN(10)))
		}
		return strings.Repeat(o.one("x", "é", "😀", "\u0301", "ﷺ"), o.IntN(300))
	}
	return o.one("Nora", "Help", "a text", "support", "vip", "bug", "n@customers.example", "+39066982000"+strconv.Itoa(o.IntN(10)), "n"+strconv.Itoa(o.IntN(1000))+"@customers.example", "N "+strconv.Itoa(o.IntN(1000)))
}

// value makes up a value of a schema, for a field; of a kind of things, if it names one. odd is how many percent of all values are not what the schema says.
func (o *oddities) value(schema *openapi3.Schema, field, kind string, odd, depth int) any {
	if o.IntN(100) < odd {
		return o.anything(depth)
	}
	if all := slices.Concat(schema.AnyOf, schema.OneOf); len(all) > 0 {
		return o.value(all[o.IntN(len(all))].Value, field, kind, odd, depth)
	}
	if len(schema.Enum) > 0 {
		return schema.Enum[o.IntN(len(schema.Enum))]
	}
	switch {
	case schema.Type.Includes("object"):
		object := map[string]any{}
		for _, name := range slices.Sorted(maps.Keys(schema.Properties)) {
			required := slices.Contains(schema.Required, name)
			if required && o.IntN(100) >= odd || !required && o.IntN(3) == 0 {
				object[name] = o.value(schema.Properties[name].Value, name, namedKinds[name], odd, depth+1)
			}
		}
		if o.IntN(100) < odd {
			object[o.text()] = o.anything(depth + 1)
		}
		return object
	case schema.Type.Includes("array"):
		list := []any{}
		for range o.IntN(4) {
			list = append(list, o.value(schema.Items.Value, field, kind, odd, depth+1))
		}
		return list
	case schema.Type.Includes("boolean"):
		return o.IntN(2) == 0
	case schema.Type.Includes("integer"), schema.Type.Includes("number"):
		return o.IntN(100)
	case schema.Format == "uuid", kind != "" && o.IntN(3) > 0:
		return o.known.any(o, kind)
	case schema.Format == "date-time":
		return time.Now().Add(time.Duration(o.IntN(1000)-900) * time.Hour).UTC().Format(time.RFC3339)
	case schema.Format == "date":
		return time.Now().AddDate(0, 0, o.IntN(100)-90).UTC().Format(time.DateOnly)
	}
	if odd == 0 && o.IntN(4) > 0 {
		return o.ordinary(field)
	}
	return o.text()
}

// ordinary makes up a text as people send it.
func (o *oddities) ordinary(field string) string {
	n := strconv.Itoa(o.IntN(300))
	switch strings.TrimSuffix(field, "s") {
	case "email":
		return "n" + n + "@customers.example"
	case "phone", "whatsapp":
		return "+3906698" + n + "4"
	case "time_zone", "tz":
		return o.one("Europe/Rome", "UTC", "America/New_York")
	case "language":
		return o.one("it", "en-GB")
	case "color", "background":
		return "#0a0b" + o.one("0c", "ff")
	case "url", "avatar":
		return "https://desk.example/" + n
	}
	return o.one("Nora", "Help", "a text", "vip", "bug", "Gold") + " " + n
}

// anything makes up any value.
func (o *oddities) anything(depth int) any {
	switch o.IntN(14) {
	case 0:
		return nil
	case 1:
		return o.IntN(2) == 0
	case 2:
		return json.Number(o.one("0", "-1", "1.5", "1e308", "1e999", "9223372036854775807", "9223372036854775808", "-0", "1E400", "0.1e-400"))
	case 3:
		return map[string]any{}
	case 4:
		return []any{}
	case 5:
		if depth < 5 {
			return []any{o.anything(depth + 1), o.anything(depth + 1)}
		}
	case 6:
		if depth < 5 {
			return map[string]any{o.text(): o.anything(depth + 1)}
		}
	}
	return o.text()
}

// parameter makes up the text of a parameter.
func (o *oddities) parameter(path string, p *openapi3.Parameter, odd int) string {
	switch p.Name {
	case "Idempotency-Key":
		return "key " + strconv.Itoa(o.IntN(200))
	case "Daybook-After", "after", "as_of", "known_at", "If-Match", "If-None-Match", "cursor":
		if o.IntN(3) > 0 {
			return o.known.any(o, "")
		}
	}
	v := o.value(p.Schema.Value, p.Name, kindIn(path, p.Name), odd, 0)
	if list, is := v.([]any); is {
		var texts []string
		for _, one := range list {
			texts = append(texts, fmt.Sprint(one))
		}
		return strings.Join(texts, ",")
	}
	return fmt.Sprint(v)
}

// send makes up a request.
func (o *oddities) send(t *testing.T, c testdesk.Client, op oddOperation) {
	odd := o.IntN(3) * 4
	path, query := op.path, url.Values{}
	var change []testdesk.With
	for _, ref := range op.Parameters {
		p := ref.Value
		if p.In != "path" && !p.Required && o.IntN(4) > 0 {
			continue
		}
		value := o.parameter(op.path, p, odd)
		switch p.In {
		case "path":
			if value == "" {
				value = "x"
			}
			path = strings.Replace(path, "{"+p.Name+"}", url.PathEscape(value), 1)
		case "query":
			query.Add(p.Name, value)
			if o.IntN(100) < odd {
				query.Add(p.Name, o.text())
			}
		case "header":
			if !strings.ContainsFunc(value, func(r rune) bool { return r < ' ' || r == 0x7f }) { // Go's client sends none of these
				change = append(change, testdesk.Header(p.Name, value))
			}
		}
	}
	if o.IntN(200) < odd {
		query.Add(o.text(), o.text())
	}
	if encoded := query.Encode(); encoded != "" {
		path += "?" + encoded
	}
	if strings.Contains(path, "?") && o.IntN(200) < odd {
		path += o.one("&x=%zz", "&x=%", "&&", "&=", "?", "&limit=1;2")
	}
	switch {
	case strings.HasSuffix(op.path, "/rebuild"), strings.HasSuffix(op.path, "/verify"): // they take long, and change nothing
		if o.IntN(20) > 0 {
			return
		}
	}
	var body any
	if op.RequestBody != nil && op.RequestBody.Value.Content["image/png"] != nil {
		image := slices.Clone(onePixel)
		if o.IntN(20) < odd {
			image = o.broken(image)
		}
		body = image
	} else if op.RequestBody != nil && op.path != "/v1/import" {
		body = o.body(op.RequestBody.Value.Content["application/json"].Schema.Value, odd)
		if o.IntN(400) < odd {
			change = append(change, testdesk.Header("Content-Type", o.one("text/plain", "application/json; charset=latin1", "application/json;charset=UTF8", "x", "multipart/form-data", "application/cbor")))
		}
	} else if o.IntN(400) < odd {
		body = o.one("{}", "null", " ", "x")
	}
	o.ask(t, c, op.method, path, body, change...)
}

// body makes up a body: JSON, and sometimes nearly JSON.
func (o *oddities) body(schema *openapi3.Schema, odd int) []byte {
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(o.value(schema, "", "", odd, 0)); err != nil {
		return []byte("{")
	}
	data := bytes.TrimSpace(b.Bytes())
	if o.IntN(100) >= odd {
		return data
	}
	return o.broken(data)
}

// broken changes a text somewhere.
func (o *oddities) broken(data []byte) []byte {
	at := o.IntN(len(data) + 1)
	switch o.IntN(5) {
	case 0:
		return data[:at]
	case 1:
		return slices.Concat(data, data)
	case 2:
		return bytes.Replace(data, []byte(`{`), []byte(`{"name":"Twice","body":"Twice",`), 1)
	}
	return slices.Concat(data[:at], []byte(o.one("\xff", "\x00", `\ud83d`, `"`, `\`, "{", "]", ",", " ", "null", "\u0301", "0")), data[at:])
}

func (o *oddities) ask(t *testing.T, c testdesk.Client, method, path string, body any, change ...testdesk.With) {
	within := 2 * time.Minute
	if strings.HasPrefix(path, "/v1/events/stream") {
		within = 50 * time.Millisecond // it has no end
	}
	ctx, cancel := context.WithTimeout(t.Context(), within)
	defer cancel()
	a, err := c.Try(ctx, method, path, body, change...)
	switch {
	case ctx.Err() != nil && within < time.Second, a.Status == http.StatusRequestHeaderFieldsTooLarge: // Go's server says so, before ours
		return
	case err != nil, a.Status >= 500 && !passing.Match(a.Body):
		request := &http.Request{Header: http.Header{}}
		for _, f := range change {
			f(request)
		}
		t.Errorf("%s %.500q %.500q %.2000q: %v\n%.2000s", method, path, request.Header, body, err, a)
	}
	if a.Status < 300 {
		o.known.learn(path, a)
	}
}

// passing are the codes of what passes by itself, as after a rebuild.
var passing = regexp.MustCompile(`"code":"(building|not-yet|behind)"`)

// play makes up a part of a journal.
func (o *oddities) play(t *testing.T, c testdesk.Client, lines [][]byte) {
	var journal bytes.Buffer
	for range 1 + o.IntN(5) {
		var line map[string]any
		if err := json.Unmarshal(lines[o.IntN(len(lines))], &line); err != nil {
			continue // one of those that are malformed
		}
		line["id"] = uuid.NewString()
		for name := range line {
			if name != "do" && o.IntN(8) == 0 {
				line[name] = o.anything(0)
			}
		}
		data, err := json.Marshal(line)
		if err != nil {
			continue
		}
		if o.IntN(10) == 0 {
			data = o.broken(data)
		}
		journal.Write(data)
		journal.WriteByte('\n')
	}
	o.ask(t, c, "POST", "/v1/import?source="+url.QueryEscape(o.one("one", "two", o.text())), journal.Bytes(), testdesk.Header("Content-Type", "application/x-ndjson"),
		testdesk.Header("Accept", o.one("application/json", "application/x-ndjson")))
}
