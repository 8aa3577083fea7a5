package profile

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"daybook/domain"
)

// Line validates a text of one line, such as a name or a subject, of at most limit characters, and trims it. It refuses line
// breaks and other control characters, and marks that turn or hide text. A text in which nothing can be seen is empty.
func Line(field, value string, limit int) (string, error) {
	value, err := Text(field, value, limit)
	if err != nil || !visible(value) {
		return "", err
	}
	before := rune(-1)
	for _, r := range value {
		switch {
		case breaks(r):
			return "", domain.Invalid(field, "text-not-one-line", "%s must be one line without control characters.", field)
		case hides(before, r):
			return "", domain.Invalid(field, "format-characters", "%s has an invisible character, such as a zero-width space or a mark of direction. Type it instead of pasting it.", field)
		}
		before = r
	}
	return value, nil
}

// OneLine makes a text one line that Line takes, unless it is too long or not text. It is for what comes in through a channel, or
// from another desk: nothing is lost for its form.
func OneLine(value string) string {
	switch {
	case !utf8.ValidString(value) || strings.ContainsRune(value, 0): // which is no text
		return value
	case !visible(value):
		return ""
	}
	var line strings.Builder
	broken := false
	for _, r := range Unmarked(value) {
		switch {
		case breaks(r) || broken && unicode.IsSpace(r):
			broken = true
			continue
		case broken:
			line.WriteByte(' ')
			broken = false
		}
		line.WriteRune(r)
	}
	return strings.TrimSpace(line.String())
}

// Unmarked drops the marks from a text that turn or hide text. It is for names that are compared without them.
func Unmarked(value string) string {
	if !utf8.ValidString(value) {
		return value
	}
	before := rune(-1)
	return strings.Map(func(r rune) rune {
		if hides(before, r) {
			return -1
		}
		before = r
		return r
	}, value)
}

// visible reports whether something of a text can be seen.
func visible(text string) bool {
	return strings.ContainsFunc(text, func(r rune) bool {
		return unicode.IsGraphic(r) && !unicode.IsSpace(r) && !ignorable(r) && r != '\u2800' // a Braille pattern without dots
	})
}

// breaks reports whether r is a control character or ends a line.
func breaks(r rune) bool { return unicode.In(r, unicode.Cc, unicode.Zl, unicode.Zp) }

// ignorable reports whether r is not shown: a format character, a filler, a variation selector.
func ignorable(r rune) bool {
	return unicode.In(r, unicode.Cf, unicode.Other_Default_Ignorable_Code_Point, unicode.Variation_Selector) && !unicode.Is(unicode.Prepended_Concatenation_Mark, r)
}

// hides reports whether r is not shown, and not one of those that writing needs: a joiner in a word of a script that has them
// or in an emoji, and a variation selector after what it varies.
func hides(before, r rune) bool {
	switch {
	case !ignorable(r):
		return false
	case r == '\u200c' || r == '\u200d':
		joinable := unicode.In(before, unicode.L, unicode.M, unicode.S) || unicode.Is(unicode.Variation_Selector, before)
		return !joinable || unicode.In(before, unicode.Latin, unicode.Greek, unicode.Cyrillic)
	case unicode.Is(unicode.Variation_Selector, r):
		return ignorable(before) || !unicode.In(before, unicode.L, unicode.M, unicode.N, unicode.P, unicode.S)
	}
	return true
}
