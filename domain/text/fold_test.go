package text_test

import (
	"slices"
	"testing"

	"pgregory.net/rapid"

	"daybook/domain/text"
)

func TestFold(t *testing.T) { // 6.16
	for given, want := range map[string]string{
		"José": "jose", "Łukasz": "lukasz", "Groß": "gross", "ΟΔΥΣΣΕΥΣ": "οδυσσευσ", "Οδυσσέας": "οδυσσεασ", "O’Brien": "o'brien",
		"Straße": "strasse", "ＡＤＡ": "ada", "ﬁrma": "firma", "Ελένη": "ελενη", "й": "и", "Ᏸ": "ᏸ", "ᏸ": "ᏸ", "Ꭰ": "ꭰ", "ꭰ": "ꭰ", "Søren": "soren", "Đorđe": "dorde", "İstanbul": "istanbul",
		"Jose\u0301": "jose", "Ann\u200be": "anne", "Anne‑Marie": "anne-marie", "ADA@Example": "ada@example",
	} {
		if got := text.Fold(given); got != want {
			t.Errorf("%q is folded to %q, not %q", given, got, want)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		once := text.Fold(rapid.String().Draw(t, "text"))
		if again := text.Fold(once); again != once {
			t.Fatalf("%q is folded to %q", once, again)
		}
	})
}

func TestOrder(t *testing.T) { // 6.16
	names := []string{"Zoë", "zoe", "Ángel", "angela", "Angel", "Łukasz", "Luz", "łukasz", "Örjan", "Ökonom", "山田", "", "de Vries", "Devon"}
	slices.SortFunc(names, func(a, b string) int {
		if text.Order(a) < text.Order(b) {
			return -1
		}
		return 1
	})
	want := []string{"", "Angel", "Ángel", "angela", "de Vries", "Devon", "łukasz", "Łukasz", "Luz", "Ökonom", "Örjan", "zoe", "Zoë", "山田"}
	if !slices.Equal(names, want) {
		t.Errorf("the order is %q", names)
	}
	long := make([]rune, 1000)
	for i := range long {
		long[i] = '山'
	}
	if n := len(text.Order(string(long))); n > 2000 { // an index of PostgreSQL takes 2700
		t.Errorf("the key of a long text has %d bytes", n)
	}
}
