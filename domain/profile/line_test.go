package profile_test

import (
	"errors"
	"strings"
	"testing"

	"daybook/domain"
	"daybook/domain/profile"
)

// TestLine is case 6.22: names and subjects are one line with something to see in it, without marks that turn or hide text.
func TestLine(t *testing.T) {
	t.Parallel()
	const breaks, marks, none = "text-not-one-line", "format-characters", "text-encoding"
	for _, test := range []struct{ text, refused, one string }{ // one: what it becomes if it came through a channel
		{"Anna", "", "Anna"},
		{" Anna\u00a0", "", "Anna"},
		{"Łukasz 山田 José O’Brien", "", "Łukasz 山田 José O’Brien"},
		{"", "", ""},
		{"a\r\nb", breaks, "a b"},
		{"line1\r\n Bcc: x", breaks, "line1 Bcc: x"},
		{"a\tb", breaks, "a b"},
		{"a\u2028b", breaks, "a b"},
		{"a\u0085b", none, "a b"},
		{"a\x1b[31mb", none, "a [31mb"},
		{"\u202eevil", marks, "evil"},
		{"ev\u2066il\u2069", marks, "evil"},
		{"a\u200bb", marks, "ab"},
		{"a\ufeff", marks, "a"},
		{"a\u00adb", marks, "ab"},
		{"a\u2060b", marks, "ab"},
		{"a\u061cb", marks, "ab"},
		{"a\u3164b", marks, "ab"},
		{"a\u200db", marks, "ab"},
		{"a\U000e0061b", marks, "ab"},
		{"a\ufe0f\ufe0fb", marks, "a\ufe0fb"},
		{"a \ufe0fb", marks, "a b"},
		// Nothing to see.
		{"\u200b", "", ""}, {"\u2800", "", ""}, {"\u3164 \u115f", "", ""}, {"\x01\x02", none, ""}, {"\u202e\u202c", "", ""}, {"\r\n", "", ""},
		// What writing needs.
		{"می\u200cخواهم", "", "می\u200cخواهم"},
		{"क्\u200dष", "", "क्\u200dष"},
		{"രാജന്\u200d", "", "രാജന്\u200d"},
		{"Nora 👩\u200d💻 ❤\ufe0f", "", "Nora 👩\u200d💻 ❤\ufe0f"},
		{"🏳\ufe0f\u200d🌈 1\ufe0f\u20e3", "", "🏳\ufe0f\u200d🌈 1\ufe0f\u20e3"},
		{"葛\U000e0100城", "", "葛\U000e0100城"},
	} {
		got, err := profile.Line("name", test.text, profile.MaxName)
		code := ""
		if no := (*domain.Error)(nil); errors.As(err, &no) {
			code = no.Code
		}
		if code != test.refused || err == nil && got != test.one {
			t.Errorf("%+q: %+q, refused %q; want %+q, refused %q", test.text, got, code, test.one, test.refused)
		}
		one := profile.OneLine(test.text)
		if again, err := profile.Line("name", one, profile.MaxName); strings.TrimSpace(one) != test.one || err != nil || again != test.one {
			t.Errorf("%+q becomes %+q, which is %+q, %v; want %+q", test.text, one, again, err, test.one)
		}
	}
	for _, text := range []string{"\xff", "a\x00b"} { // which is no text, by any door
		if _, err := profile.Line("name", profile.OneLine(text), profile.MaxName); err == nil {
			t.Errorf("%q is taken", text)
		}
	}
}
