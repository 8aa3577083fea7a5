package text_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"unicode/utf8"

	"daybook/domain/text"
)

// FuzzCheckJSON: a document that is accepted has nothing that its decoder changes, and only fields that come once. Cases 1.4 and 1.7.
func FuzzCheckJSON(f *testing.F) {
	for _, document := range []string{
		`{"a":"b"}`, `"\ud83d\ude00"`, `"\ud83d"`, `"\ude00"`, `"\\ud83d"`, `"\ud83d\\ude00"`, `{"a":1,"a":2}`, `{"a":{"b":1},"b":[{"a":1},{"a":2}]}`, `{"a":1,"\u0061":2}`,
		"\"\xe9\"", `[[],{},"",1e999,{"":{"":""}}]`, `"\uD83D\uDE00\uD83D"`, `"�"`, `"\ufffd"`,
	} {
		f.Add([]byte(document))
	}
	f.Fuzz(func(t *testing.T, document []byte) {
		if !json.Valid(document) {
			return
		}
		err := text.CheckJSON(document)
		var decoded any
		decoder := json.NewDecoder(strings.NewReader(string(document)))
		decoder.UseNumber()
		if decoder.Decode(&decoded) != nil {
			return
		}
		// What was lost became U+FFFD.
		lost := strings.Count(render(t, decoded), "\ufffd") - strings.Count(strings.ToLower(string(document)), `\ufffd`) - strings.Count(string(document), "\ufffd")
		if !utf8.Valid(document) && err == nil || err == nil && lost > 0 {
			t.Errorf("%q is accepted, and becomes %q", document, render(t, decoded))
		}
	})
}

func render(t *testing.T, value any) string {
	t.Helper()
	var b strings.Builder
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(value); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// TestCheckJSON: what is wrong with a document.
func TestCheckJSON(t *testing.T) {
	for document, want := range map[string]error{
		`{"a":"\ud83d\ude00","b":{"a":[{"a":1},{"a":2}]}}`: nil, `["a","a"]`: nil, `{"a":"a","b":"a"}`: nil, `"\\ud83d"`: nil, `{"a":{},"b":{}}`: nil, `{"a":[],"b":1e999}`: nil, `{"a":"{,\"a\":","b":[",","{\"b\":"]}`: nil, `{"a":1,"b":[{}],"c":{"a":1,"c":2}}`: nil, `[{"a":1},{"a":2}]`: nil, `{"a":[{},{}],"a":1}`: text.ErrTwice, `{"\"":1,"\u0022":2}`: text.ErrTwice,
		`"\ud83d"`: text.ErrSurrogate, `"\ude00"`: text.ErrSurrogate, `"\ud83d\n\ude00"`: text.ErrSurrogate, `"\ud83d \ude00"`: text.ErrSurrogate, `"\ud83d\ud83d\ude00"`: text.ErrSurrogate,
		`{"\ud83d":1}`: text.ErrSurrogate, "\"\xe9\"": text.ErrEncoding, "\"\xed\xa0\xbd\"": text.ErrEncoding,
		`{"a":1,"a":1}`: text.ErrTwice, `{"a":{"b":1,"b":2}}`: text.ErrTwice, `[{"a":[1,{}],"a":2}]`: text.ErrTwice, `{"a":1,"b":{"a":2},"\u0061":3}`: text.ErrTwice,
	} {
		if got := text.CheckJSON([]byte(document)); !errors.Is(got, want) {
			t.Errorf("%s: %v, want %v", document, got, want)
		}
	}
}

// TestCheck: what is text.
func TestCheck(t *testing.T) {
	for value, want := range map[string]error{
		"": nil, "a\tb\r\nc": nil, "😀\u200d\ufffd\U0010ffff\u2028": nil, strings.Repeat("x", text.Max): nil,
		"\x00": text.ErrControl, "\x1b": text.ErrControl, "\x7f": text.ErrControl, "\u0085": text.ErrControl, "\f": text.ErrControl,
		"\xff": text.ErrEncoding, "\xed\xa0\xbd": text.ErrEncoding, strings.Repeat("x", text.Max+1): text.ErrTooLong,
	} {
		if got := text.Check(value); !errors.Is(got, want) {
			t.Errorf("%.10q: %v, want %v", value, got, want)
		}
	}
}
