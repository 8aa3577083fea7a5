package address

import (
	"regexp"
	"strconv"
	"strings"
	"unicode"

	"github.com/nyaruka/phonenumbers"
	"golang.org/x/text/unicode/norm"

	"daybook/domain"
)

// Phone normalises a phone number to E.164, with its extension after it as in RFC 3966: +390669820001;ext=5. region is
// the country (ISO 3166) of numbers without a country code. If it is empty, every number must have one.
//
// Everything in a value is read or the value is refused: a second number, a name, a number spelled in letters. So is a
// number that lacks its area code, which others have in other towns.
func Phone(field, value, region string) (string, error) {
	return phone(field, value, func(digits string, _ bool) (number, bool) { return dialled(digits, region) })
}

// WhatsApp normalises a WhatsApp number to what Phone makes of it. WhatsApp itself sends digits alone, which begin with the
// country code; so digits alone are read that way first, and as Phone reads them only if there is no such number.
func WhatsApp(field, value, region string) (string, error) {
	return phone(field, value, func(digits string, alone bool) (number, bool) {
		id, known := read("+"+digits, "")
		typed, possible := dialled(digits, region)
		if alone && known && (id.valid || !possible || !typed.valid) {
			return id, true
		}
		return typed, possible
	})
}

// Country returns the country (ISO 3166) of a number that Phone returned, or "" if it is of none, such as a satellite phone's.
func Country(e164 string) string {
	n, err := phonenumbers.Parse(strings.Split(e164, ";")[0], "")
	if err != nil {
		return ""
	}
	if region := phonenumbers.GetRegionCodeForNumber(n); len(region) == 2 && region != "ZZ" {
		return region
	}
	return ""
}

var (
	// written is a number as people write it, once punctuation has its simplest form: an international prefix, digits, and
	// an extension.
	written = regexp.MustCompile(`^(?i:tel:)?([(\[ ]*\+)?([0-9 ().\[\]/-]*[0-9][ )\].]*?)(?:` + extension + `([0-9]{1,15}))?$`)

	digit = regexp.MustCompile(`[0-9]`)
)

// extension is what stands between a number and its extension. A comma or a semicolon alone does not: it may stand before
// another number.
const extension = `(?:;(?i:ext)=|[ ,;]*(?i:ext|extn|xtn|extension|extensión|anexo|ramal|int|interno|poste|durchwahl|доб)[.:]? *|[ ,;]*(?i:x)\.? *| *# *)`

// phone normalises a number. national reads its digits if no + is before them; alone says that nothing stands between them.
func phone(field, value string, national func(digits string, alone bool) (number, bool)) (string, error) {
	value, err := clean(field, value)
	if err != nil {
		return "", err
	}
	parts := written.FindStringSubmatch(strings.Map(simple, norm.NFC.String(value)))
	if parts == nil {
		return "", malformedPhone(field)
	}
	plus, body, ext := parts[1], parts[2], parts[3]
	digits := strings.Join(digit.FindAllString(body, -1), "")
	var n number
	var ok bool
	if plus != "" {
		n, ok = read("+"+digits, "")
	} else {
		n, ok = national(digits, body == digits)
	}
	if !ok || !oneNumber(body, n) {
		return "", malformedPhone(field)
	}
	if ext != "" {
		ext = ";ext=" + ext
	}
	return n.e164 + ext, nil
}

func malformedPhone(field string) error {
	return domain.Invalid(field, "phone-malformed", "%s must be one phone number with its country code, such as +39 06 6982 0001.", field)
}

// oneNumber reports whether a slash, if there is one, divides the area code from the number: at least half of a number
// follows it. In "06 6982 0004/05" it divides two numbers.
func oneNumber(body string, n number) bool {
	slash := strings.IndexByte(body, '/')
	if slash < 0 {
		return true
	}
	after := len(digit.FindAllString(body[slash:], -1))
	return strings.Count(body, "/") == 1 && 2*after >= len(n.national)
}

// simple maps the digits of every script and the punctuation of phone numbers to ASCII.
func simple(r rune) rune {
	switch r {
	case '＋':
		return '+'
	case '（':
		return '('
	case '）':
		return ')'
	case '．':
		return '.'
	case '／':
		return '/'
	case '＃':
		return '#'
	case '−', 'ー': // a minus sign; a long vowel, which stands beside the digits of a Japanese keyboard
		return '-'
	}
	switch {
	case unicode.Is(unicode.Pd, r):
		return '-'
	case unicode.Is(unicode.Zs, r), r == '\t':
		return ' '
	case unicode.Is(unicode.Nd, r):
		return '0' + valueOf(r)
	}
	return r
}

// valueOf returns the value of a decimal digit. Unicode keeps the ten of each script together, in order.
func valueOf(r rune) rune {
	for _, t := range unicode.Nd.R16 {
		if r <= rune(t.Hi) && r >= rune(t.Lo) {
			return (r - rune(t.Lo)) % 10
		}
	}
	for _, t := range unicode.Nd.R32 {
		if r <= rune(t.Hi) && r >= rune(t.Lo) {
			return (r - rune(t.Lo)) % 10
		}
	}
	return r
}

// A number is a phone number as its digits were read.
type number struct {
	e164     string
	national string // without the country code
	valid    bool   // such numbers are given out; one that is not may still be possible, because plans change
}

// dialled reads digits as they are dialled in a region. 00 stands for + everywhere. Where it also begins something else,
// such as the code of a carrier, the number that exists is meant; if both exist, the value is refused.
func dialled(digits, region string) (number, bool) {
	local, ok := read(digits, region)
	abroad, zeros := strings.CutPrefix(digits, "00")
	if !zeros {
		return local, ok
	}
	n, possible := read("+"+abroad, "")
	switch {
	case !ok || !local.valid:
		return n, possible
	case !possible || !n.valid:
		return local, true
	}
	return n, n.e164 == local.e164
}

// read reads digits, or + and digits. It refuses a number whose E.164 form would be read as another one.
func read(digits, region string) (number, bool) {
	n, ok := parse(digits, region)
	if !ok {
		return number{}, false
	}
	again, ok := parse(n.e164, "")
	return n, ok && again.e164 == n.e164
}

// parse reads what leaves the library nothing to pass over in silence: digits, or + and digits. It refuses what has not
// the length of a whole number.
func parse(digits, region string) (number, bool) {
	n, err := phonenumbers.Parse(digits, region)
	if err != nil {
		return number{}, false
	}
	valid := phonenumbers.IsValidNumber(n)
	national := phonenumbers.GetNationalSignificantNumber(n)
	if p, found := plans[n.GetCountryCode()]; found && p.other.MatchString(national) {
		national = p.other.ReplaceAllString(national, p.canonical)
		if n, err = phonenumbers.Parse("+"+strconv.Itoa(int(n.GetCountryCode()))+national, ""); err != nil {
			return number{}, false
		}
		valid = valid || phonenumbers.IsValidNumber(n)
	}
	whole := valid || phonenumbers.IsPossibleNumberWithReason(n) == phonenumbers.IS_POSSIBLE
	return number{phonenumbers.Format(n, phonenumbers.E164), national, valid}, whole
}

// A plan is what a country's numbering plan lets people write in two ways: the other way, without the country code, and
// what it becomes.
type plan struct {
	other     *regexp.Regexp
	canonical string
}

// plans are the countries where one telephone has two numbers that are both in use, by country code. Countries whose old
// numbers are no longer in use anywhere are not here; nor is Italy, where +39 06 and +39 6 are not the same.
var plans = map[int32]plan{
	// Argentina: mobiles have a 9 before the area code when they are called from abroad, and a 15 after it at home, which
	// the library makes the 9. WhatsApp always writes the 9, people rarely. Area code and number are ten digits, and no
	// landline shares them with a mobile, so they are the number. Source: the national numbering plan (Plan Fundamental de
	// Numeración Nacional), as in ITU-T E.129 for +54; metadata of libphonenumber for AR.
	54: {regexp.MustCompile(`^9((?:11|[23]\d)\d{8})$`), "$1"},

	// Benin: since 30 November 2024 every number has 01 before its eight digits. WhatsApp keeps older ids. Source: ARCEP
	// Bénin; metadata of libphonenumber for BJ.
	229: {regexp.MustCompile(`^(\d{8})$`), "01$1"},

	// Brazil: between 2012 and 2016 mobiles got a 9 before their eight digits. WhatsApp keeps the ids of older accounts.
	// Landlines, which begin with 2 to 5, did not, nor did the radio telephones of Nextel, which begin with 70, 77, 78 and
	// 79: there the 9 makes it another one. Source: Anatel, Resolution 553/2010 and its time table.
	55: {regexp.MustCompile(`^([1-9][1-9])([689]\d{7}|7[1-6]\d{6})$`), "${1}9$2"},

	// Mexico: until August 2019 mobiles were called with a 1 from abroad, and with 044 or 045 at home, landlines with 01.
	// WhatsApp keeps the 1. Source: IFT, national numbering plan of 2018; ITU-T operational bulletin for +52.
	52: {regexp.MustCompile(`^(?:1|01|04[45])([2-9]\d{9})$`), "$1"},
}

// IsRegion reports whether a text is the code (ISO 3166) of a country that has phone numbers.
func IsRegion(code string) bool { return phonenumbers.GetSupportedRegions()[code] }
