package text

import (
	"encoding/hex"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/cases"
	"golang.org/x/text/collate"
	"golang.org/x/text/language"
	"golang.org/x/text/unicode/norm"
)

// Fold returns a text as it is compared in a search: without case, accents and other marks, ligatures, and what cannot be seen. So José,
// Łukasz, Groß and O’Brien are jose, lukasz, gross and o'brien.
func Fold(value string) string {
	if plain(value) {
		return strings.ToLower(value)
	}
	value = norm.NFKD.String(cases.Fold().String(norm.NFKC.String(value)))
	var b strings.Builder
	for _, r := range value {
		if unicode.In(r, unicode.Mn, unicode.Me, unicode.Cf) {
			continue
		}
		if simple, found := alike[r]; found {
			b.WriteString(simple)
			continue
		}
		b.WriteRune(unicode.ToLower(r)) // Cherokee letters are folded to capitals
	}
	return b.String()
}

func plain(value string) bool {
	for i := range len(value) {
		if value[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// alike are letters and signs that Unicode takes for letters of their own, and that people type as others.
var alike = map[rune]string{
	'ł': "l", 'ø': "o", 'đ': "d", 'ħ': "h", 'ŧ': "t", 'ı': "i", 'ð': "d", 'þ': "th", 'æ': "ae", 'œ': "oe", 'ŋ': "n",
	'’': "'", '‘': "'", 'ʼ': "'", '´': "'", '`': "'", '‐': "-", '‑': "-", '‒': "-", '–': "-", '—': "-", '−': "-",
}

// ordered is how many letters of a text are looked at to put it in order.
const ordered = 60

// Order returns a key by which texts are sorted as a language does: the root order of Unicode, in which Ángel is before zoe. Keys are
// compared byte by byte.
func Order(value string) string {
	value = strings.TrimSpace(value)
	for i, n := 0, 0; i < len(value); n++ {
		if n == ordered {
			value = value[:i]
			break
		}
		_, size := utf8.DecodeRuneInString(value[i:])
		i += size
	}
	o := orders.Get().(*order)
	defer orders.Put(o)
	o.buffer.Reset()
	return hex.EncodeToString(o.KeyFromString(&o.buffer, value))
}

// An order is used by one goroutine at a time.
type order struct {
	*collate.Collator
	buffer collate.Buffer
}

var orders = sync.Pool{New: func() any { return &order{Collator: collate.New(language.Und)} }}
