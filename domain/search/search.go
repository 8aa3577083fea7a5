// Package search says by which words things are found.
//
// A question is a list of words, and a thing is found if each of them is the beginning of one of its words. Both sides are folded, so
// that case, accents and the like do not matter.
package search

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"daybook/domain/address"
	"daybook/domain/text"
)

// Longest is how many bytes of a word count.
const Longest = 100

// Text returns the words of a text. A word with signs inside is found by its parts too, and without the signs: o'brien, brien and obrien.
func Text(value string) (words []string) {
	for word := range strings.FieldsSeq(text.Fold(value)) {
		word = strings.TrimFunc(word, sign)
		words = append(words, cut(word))
		if parts := strings.FieldsFunc(word, sign); len(parts) > 1 {
			words = append(words, cut(strings.Join(parts, "")))
			for _, part := range parts {
				if utf8.RuneCountInString(part) > 1 {
					words = append(words, cut(part))
				}
			}
		}
	}
	return words
}

// Email returns the words of an e-mail address: all of it, the words of its local part, and its domain.
func Email(value string) (words []string) {
	value = text.Fold(value)
	at := strings.LastIndexByte(value, '@')
	if at < 0 {
		return Text(value)
	}
	words = []string{cut(value), cut(value[at+1:])}
	for word := range strings.FieldsFuncSeq(value[:at], sign) {
		words = append(words, cut(word))
	}
	return words
}

// Phone returns the words of a phone number: its digits with the country code, without it, and as they are dialled in the country.
func Phone(value string) []string { return address.Digits(value) }

// Words returns lists of words as one, sorted and without repeats.
func Words(lists ...[]string) []string {
	words := slices.Concat(lists...)
	slices.Sort(words)
	words = slices.Compact(words)
	return slices.DeleteFunc(words, func(word string) bool { return word == "" })
}

// Joined returns words as one text in which each has a space before it.
func Joined(words []string) string {
	if len(words) == 0 {
		return ""
	}
	return " " + strings.Join(words, " ")
}

// Question returns the words of a question.
func Question(q string) (words []string) {
	for word := range strings.FieldsSeq(text.Fold(q)) {
		words = append(words, cut(strings.TrimFunc(word, sign)))
	}
	return Words(words)
}

// Caller returns the words of a question for those who have phone numbers. What looks like one is a word, whatever stands between its
// digits: without the country code, if that is to be seen.
func Caller(q string) (words []string) {
	var number []string
	end := func() {
		joined := strings.Join(number, " ")
		if digits := address.Sought(joined); digits != "" {
			words = append(words, digits)
		} else {
			words = append(words, Question(joined)...)
		}
		number = nil
	}
	for word := range strings.FieldsSeq(text.Fold(q)) {
		if strings.Trim(word, "0123456789+()[]/.-") == "" {
			number = append(number, word)
			continue
		}
		end()
		words = append(words, Question(word)...)
	}
	end()
	return Words(words)
}

// sign reports whether a rune is neither a letter nor a digit.
func sign(r rune) bool { return !unicode.In(r, unicode.L, unicode.N, unicode.M) }

// cut returns the part of a word that counts.
func cut(word string) string {
	if len(word) <= Longest {
		return word
	}
	end := Longest
	for !utf8.RuneStart(word[end]) {
		end--
	}
	return word[:end]
}
