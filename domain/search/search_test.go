package search_test

import (
	"slices"
	"strings"
	"testing"

	"daybook/domain/search"
)

// found reports whether a question finds words.
func found(q string, words []string) bool {
	for _, asked := range search.Caller(q) {
		if !slices.ContainsFunc(words, func(word string) bool { return strings.HasPrefix(word, asked) }) {
			return false
		}
	}
	return true
}

func TestWhatIsFound(t *testing.T) { // 6.16
	ada := search.Words(search.Text("José Łukasz Groß-Müller ΟΔΥΣΣΕΥΣ O’Brien (Acme)"), search.Email("ada.costa+desk@Customers.example"), search.Phone("+16502530100"), search.Phone("+442079460958;ext=5"))
	for _, q := range []string{
		"jose", "JOSÉ", "lukasz", "gross", "müller", "muller", "groß-m", "οδυσσευς", "Οδυσσεύς", "o'brien", "O’Brien", "brien", "obrien", "acme", "(acme)",
		"ada.costa+desk@customers.example", "ada", "costa", "desk", "customers", "customers.example", "@customers.example", "jose brien",
		"+1-650-253-0100", "(650) 253-0100", "650 253 0100", "650253", "1 650 253 0100", "0016502530100", "+1 650", "16502530100",
		"+44 20 7946 0958", "020 7946 0958", "2079460958", "jose 650-253-0100", "",
	} {
		if !found(q, ada) {
			t.Errorf("%q: %q does not find %q", q, search.Caller(q), ada)
		}
	}
	for _, q := range []string{"ose", "joseph", "jose nobody", "example", "253-0100", "+2 650 253 0100"} {
		if found(q, ada) {
			t.Errorf("%q: %q finds %q", q, search.Caller(q), ada)
		}
	}
	unread := search.Words(search.Phone("(650) 253-0100"))
	for _, q := range []string{"+1-650-253-0100", "650-253-0100", "(650) 253"} {
		if !found(q, unread) {
			t.Errorf("%q: %q does not find %q", q, search.Caller(q), unread)
		}
	}
	long := strings.Repeat("ä", 300)
	if words := search.Text(long); len(words[0]) > search.Longest || !found(long, words) {
		t.Errorf("%q does not find %q", search.Caller(long), words)
	}
}

func TestNumbersInQuestions(t *testing.T) {
	for q, want := range map[string][2]string{
		"studio 54":       {" 54 studio", " 54 studio"},
		"invoice 2024-17": {" 2024-17 invoice", " 202417 invoice"},
		"order 12 3456":   {" 12 3456 order", " 12 3456 order"},
		"ring 555 123456": {" 123456 555 ring", " 555123456 ring"},
		"- & .":           {"", ""},
	} {
		if got := [2]string{search.Joined(search.Question(q)), search.Joined(search.Caller(q))}; got != want {
			t.Errorf("%q has the words %q, not %q", q, got, want)
		}
	}
}
