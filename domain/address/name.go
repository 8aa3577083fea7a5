package address

import (
	"strings"
	"unicode"

	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"
)

// Name returns the key under which a name is unique: of a tag, a group, a field, a login. Names that differ only in case,
// in the way that a letter is encoded, in white space or in what cannot be seen have one key. The key is for comparing;
// the name is shown as it was written.
//
// The key is empty if nothing of the name can be seen. Refuse such a name.
func Name(name string) string {
	// Each step can make work for another. Twice is enough for nearly every name.
	for range 8 {
		key := strings.Map(folded, cases.Fold().String(norm.NFKD.String(name)))
		key = strings.Join(strings.Fields(norm.NFKC.String(key)), " ")
		if key == name {
			break
		}
		name = key
	}
	return name
}

// folded drops what cannot be seen, apart from white space, and undoes a fault of cases.Fold, which exchanges the two
// cases of Cherokee.
func folded(r rune) rune {
	switch {
	case invisible(r) || unicode.IsControl(r) && !unicode.IsSpace(r):
		return -1
	case unicode.Is(unicode.Cherokee, r):
		return unicode.ToUpper(r)
	}
	return r
}
