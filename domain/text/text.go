// Package text says what can come in as text, by any door: in a body, a header, a parameter, a path or a line of a journal.
//
// Text is UTF-8 without control characters other than tabs and line breaks. Nothing else is stored, since some databases
// refuse it in a row. A text is kept in NFC; the names by which other systems call things, and the ids of journal lines, are
// kept as they came.
package text

import (
	"bytes"
	"encoding/json"
	"errors"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// Max is the longest text in bytes.
const Max = 256 << 10

// What is wrong with a text or a JSON document. Each error is the end of a sentence that begins with what is wrong.
var (
	ErrEncoding  = errors.New("must be UTF-8")
	ErrControl   = errors.New("must not have control characters other than tabs and line breaks")
	ErrTooLong   = errors.New("may have at most 262144 bytes")
	ErrSurrogate = errors.New(`must not have half of a surrogate pair, such as \ud83d alone`)
	ErrTwice     = errors.New("must not have a field twice in one object")
)

// Check returns ErrEncoding, ErrControl or ErrTooLong if a value is no text.
func Check(value string) error {
	switch {
	case len(value) > Max:
		return ErrTooLong
	case !utf8.ValidString(value):
		return ErrEncoding
	case strings.ContainsFunc(value, control):
		return ErrControl
	}
	return nil
}

func control(r rune) bool { return unicode.IsControl(r) && r != '\t' && r != '\n' && r != '\r' }

// Keep returns a text as it is kept.
func Keep(value string) string { return norm.NFC.String(value) }

// CheckJSON returns an error if a valid JSON document has what decoders accept and change silently: bytes that are not
// UTF-8, half of a surrogate pair, or an object with a field twice.
func CheckJSON(document []byte) error {
	switch {
	case !utf8.Valid(document):
		return ErrEncoding
	case halfPair(document):
		return ErrSurrogate
	case twice(document):
		return ErrTwice
	}
	return nil
}

// halfPair reports whether a valid JSON document has an escape of one half of a surrogate pair without the other.
func halfPair(document []byte) bool {
	high := false // the last escape was a first half
	for rest := document; ; {
		at := bytes.IndexByte(rest, '\\')
		if high && at != 0 || at < 0 {
			return high
		}
		rest = rest[at+1:]
		var unit rune
		if rest[0] == 'u' {
			unit = hex4(rest[1:5])
			rest = rest[5:]
		} else {
			rest = rest[1:]
		}
		low := 0xDC00 <= unit && unit <= 0xDFFF
		if low != high {
			return true
		}
		high = 0xD800 <= unit && unit <= 0xDBFF
	}
}

// hex4 returns the number that four hexadecimal digits are.
func hex4(digits []byte) (n rune) {
	for _, d := range digits {
		n = n<<4 | rune(d&0xF)
		if d >= 'A' {
			n += 9
		}
	}
	return n
}

// twice reports whether an object of a valid JSON document has a field twice.
func twice(document []byte) bool {
	var open []map[string]bool // the fields of each open object; nil for a list
	name := false              // the next string is the name of a field
	for i := 0; i < len(document); i++ {
		switch document[i] {
		case '{':
			open, name = append(open, make(map[string]bool)), true
		case '[':
			open, name = append(open, nil), false
		case '}', ']':
			open, name = open[:len(open)-1], false
		case ',':
			name = open[len(open)-1] != nil
		case '"':
			quoted := document[i : i+quotedLength(document[i:])]
			i += len(quoted) - 1
			if !name {
				continue
			}
			field, fields := string(quoted), open[len(open)-1]
			if bytes.IndexByte(quoted, '\\') >= 0 {
				_ = json.Unmarshal(quoted, &field) // the document is valid
				field = `"` + field + `"`
			}
			if fields[field] {
				return true
			}
			fields[field], name = true, false
		}
	}
	return false
}

// quotedLength returns the length of the string with which a valid JSON document begins.
func quotedLength(document []byte) int {
	for i := 1; ; i++ {
		switch document[i] {
		case '\\':
			i++
		case '"':
			return i + 1
		}
	}
}

// Plain reports whether Check refuses no string of a valid JSON document, as far as that can be seen without decoding it.
func Plain(document []byte) bool {
	for _, b := range document {
		if b == '\\' || b >= 0x7f {
			return false
		}
	}
	return len(document) <= Max
}

// CheckAll calls wrong with the place of each string in a decoded JSON object that is no text, and of each field whose name
// is none. A place is a JSON pointer's parts, at least one.
func CheckAll(object map[string]any, wrong func(place []string, err error)) {
	checkAll(nil, object, wrong)
}

func checkAll(place []string, value any, wrong func([]string, error)) {
	switch v := value.(type) {
	case string:
		if err := Check(v); err != nil {
			wrong(place, err)
		}
	case []any:
		for i, element := range v {
			checkAll(append(place[:len(place):len(place)], strconv.Itoa(i)), element, wrong)
		}
	case map[string]any:
		for name, member := range v {
			at := append(place[:len(place):len(place)], name)
			if err := Check(name); err != nil {
				wrong(at, err)
			}
			checkAll(at, member, wrong)
		}
	}
}
