package field_test

import (
	"math/big"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"daybook/domain/field"
)

func TestValues(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		kind  field.Type
		given any
		want  string // empty: refused
	}{
		{field.Text, " Wien ", "Wien"}, {field.Text, "a\nb", "a\nb"}, {field.Text, "", ""}, {field.Text, 1.0, ""}, {field.Text, "\x00", ""}, {field.Text, "\xff", ""},
		{field.Text, strings.Repeat("a", 4096), strings.Repeat("a", 4096)}, {field.Text, strings.Repeat("a", 4097), ""}, {field.Text, nil, ""},
		{field.Number, "1.50", "1.5"}, {field.Number, "15e-1", "1.5"}, {field.Number, "-0.0", "0"}, {field.Number, "+007", "7"}, {field.Number, "1E3", "1000"},
		{field.Number, "1e30", "1" + strings.Repeat("0", 30)}, {field.Number, "1e31", ""}, {field.Number, "1e-30", "0." + strings.Repeat("0", 29) + "1"}, {field.Number, "1e-31", ""},
		{field.Number, "1234567890123456789012345678901234", "1234567890123456789012345678901234"}, {field.Number, "12345678901234567890123456789012345", ""},
		{field.Number, "0.1", "0.1"}, {field.Number, ".1", ""}, {field.Number, "1,5", ""}, {field.Number, "NaN", ""}, {field.Number, "0x1", ""}, {field.Number, 1.5, ""}, {field.Number, "١", ""},
		{field.Date, "2014-02-01", "2014-02-01"}, {field.Date, "2014-02-30", ""}, {field.Date, "2014-2-1", ""}, {field.Date, "0000-01-01", ""}, {field.Date, "9999-12-31", "9999-12-31"},
		{field.YesNo, true, "yes"}, {field.YesNo, false, "no"}, {field.YesNo, "yes", ""},
	} {
		if got, err := test.kind.Read(test.given); got != test.want || (err == nil) != (test.want != "") {
			t.Errorf("%s %q: %q, %v; want %q", test.kind, test.given, got, err, test.want)
		}
	}
}

// TestNumbersAreNotRounded reads random numbers: what comes out is the same number, and reads as itself.
func TestNumbersAreNotRounded(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		written := rapid.StringMatching(`[+-]?[0-9]{1,40}(\.[0-9]{1,40})?([eE][+-]?[0-9]{1,2})?`).Draw(t, "written")
		got, err := field.Number.Read(written)
		if err != nil {
			return
		}
		in, ok := new(big.Rat).SetString(written)
		out, same := new(big.Rat).SetString(got)
		if !ok || !same || in.Cmp(out) != 0 {
			t.Fatalf("%s became %s", written, got)
		}
		if again, err := field.Number.Read(got); err != nil || again != got {
			t.Fatalf("%s became %s, %v", got, again, err)
		}
	})
}

func FuzzRead(f *testing.F) {
	f.Add("number", "1.50")
	f.Fuzz(func(t *testing.T, kind, value string) {
		if got, err := field.Type(kind).Read(value); err == nil {
			if again, err := field.Type(kind).Read(got); err != nil || again != got {
				t.Errorf("%q became %q, then %q, %v", value, got, again, err)
			}
		}
	})
}
