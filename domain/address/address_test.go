package address_test

import (
	"errors"
	"os"
	"strconv"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/nyaruka/phonenumbers"
	"golang.org/x/text/unicode/norm"
	"pgregory.net/rapid"

	"daybook/domain"
	"daybook/domain/address"
)

// kinds are the normalisers by their names in testdata.
var kinds = map[string]func(value, region string) (string, error){
	"email":    func(value, _ string) (string, error) { return address.Email("it", value) },
	"phone":    func(value, region string) (string, error) { return address.Phone("it", value, region) },
	"whatsapp": func(value, region string) (string, error) { return address.WhatsApp("it", value, region) },
	"handle":   func(value, _ string) (string, error) { return address.Handle("it", value) },
	"id":       func(value, _ string) (string, error) { return address.ID("it", value) },
	"name":     func(value, _ string) (string, error) { return address.Name(value), nil },
}

func TestPairs(t *testing.T) {
	file, err := os.ReadFile("testdata/pairs.txt")
	if err != nil {
		t.Fatal(err)
	}
	count := 0
	for i, line := range strings.Split(string(file), "\n") {
		if line == "" || line[0] == '#' {
			continue
		}
		count++
		t.Run(strconv.Itoa(i+1), func(t *testing.T) {
			verdict, rest, _ := strings.Cut(line, " ")
			kind, rest, _ := strings.Cut(rest, " ")
			kind, region, _ := strings.Cut(kind, ":")
			normalise := kinds[kind]
			quoted, err := strconv.QuotedPrefix(rest)
			if err != nil || normalise == nil {
				t.Fatal("no such line:", line)
			}
			first, _ := strconv.Unquote(quoted)
			rest = rest[len(quoted)+1:]
			one, err := normalise(first, region)
			if verdict == "refused" {
				if code := codeOf(err); code != rest {
					t.Fatalf("%s\nis %q, %v (%q)", line, one, err, code)
				}
				return
			}
			second, bad := strconv.Unquote(rest)
			other, otherErr := normalise(second, region)
			if err != nil || otherErr != nil || bad != nil {
				t.Fatalf("%s\n%v, %v, %v", line, err, otherErr, bad)
			}
			if same := one == other; same != (verdict == "one") || verdict != "one" && verdict != "two" {
				t.Fatalf("%s\nis %q and %q", line, one, other)
			}
			sound(t, kind, one, region)
			sound(t, kind, other, region)
		})
	}
	if count < 120 {
		t.Errorf("%d lines", count)
	}
}

func codeOf(err error) string {
	var refusal *domain.Error
	if errors.As(err, &refusal) {
		return refusal.Code
	}
	return ""
}

// sound requires that an address is in normal form and that normalising it again, in any region, changes nothing.
func sound(t interface {
	Helper()
	Errorf(string, ...any)
}, kind, value, region string) {
	t.Helper()
	again, err := kinds[kind](value, region)
	if err != nil || again != value {
		t.Errorf("%s %q in %q becomes %q, %v", kind, value, region, again, err)
	}
	if !utf8.ValidString(value) || !norm.NFC.IsNormalString(withoutSigns.Replace(value)) {
		t.Errorf("%s %q is not NFC", kind, value)
	}
	if value != strings.TrimSpace(value) || strings.ContainsFunc(value, func(r rune) bool {
		return unicode.In(r, unicode.Cc, unicode.Cf, unicode.Other_Default_Ignorable_Code_Point, unicode.Variation_Selector)
	}) {
		t.Errorf("%s %q has what cannot be seen", kind, value)
	}
}

// withoutSigns removes the signs that stay as they are, though NFC would make them letters.
var withoutSigns = strings.NewReplacer("\u2126", "x", "\u212a", "x", "\u212b", "x")

const signs = "\u2126\u212a\u212b"

// regions are all that the library knows, and none.
var regions = func() []string {
	all := []string{""}
	for region := range phonenumbers.GetSupportedRegions() {
		all = append(all, region)
	}
	return all
}()

// A refusal must not repeat a value, which may be a person's.
func TestRefusalsDoNotRepeatTheValue(t *testing.T) {
	for kind, normalise := range kinds {
		for _, value := range []string{"xyzzy\u200bxyzzy", "xyzzy\x00", "\u212axyzzy@x", "xyzzy%d@@", strings.Repeat("xyzzy ", 100)} {
			_, err := normalise(value, "")
			if err == nil {
				continue
			}
			var refusal *domain.Error
			if !errors.As(err, &refusal) || refusal.Refusal != domain.RefusedInvalid || refusal.Fields[0].Field != "it" {
				t.Errorf("%s: %#v", kind, err)
			}
			if strings.Contains(err.Error(), "xyzzy") || strings.Contains(err.Error(), "%") || !strings.HasPrefix(err.Error(), "it ") {
				t.Errorf("%s: %v", kind, err)
			}
		}
	}
}

func TestEmailLength(t *testing.T) {
	for _, c := range []struct {
		value string
		ok    bool
	}{
		{strings.Repeat("a", 65) + "@example.org", true},
		{strings.Repeat("a", 254-len("@example.org")) + "@example.org", true},
		{strings.Repeat("a", 255-len("@example.org")) + "@example.org", false},
		{strings.Repeat("a", 254-len("@xn--bcher-kva.example")) + "@bücher.example", true},
		{strings.Repeat("a", 255-len("@xn--bcher-kva.example")) + "@bücher.example", false},
		{strings.Repeat("Ⱥ", 80) + "@example.org", true},
		{strings.Repeat("Ⱥ", 81) + "@example.org", false}, // three bytes in lower case
		{"a@" + strings.Repeat("a", 63) + ".org", true},
		{"a@" + strings.Repeat("a", 64) + ".org", false},
	} {
		if _, err := address.Email("it", c.value); (err == nil) != c.ok {
			t.Errorf("%d bytes: %v", len(c.value), err)
		}
	}
}

func TestIDLength(t *testing.T) {
	if _, err := address.ID("it", strings.Repeat("é", address.MaxID)); err != nil {
		t.Error(err)
	}
	if _, err := address.ID("it", strings.Repeat("é", address.MaxID+1)); codeOf(err) != "text-too-long" {
		t.Error(err)
	}
}

// No two letters of a local part become one, unless they are the upper and the lower case of each other. Two letters here
// are two that NFC does not make one.
func TestLettersOfLocalParts(t *testing.T) {
	from := map[string][]rune{}
	for r := range rune(unicode.MaxRune + 1) {
		if !strings.ContainsRune(signs, r) && norm.NFC.String(string(r)) != string(r) {
			continue // NFC writes the same letter in another way
		}
		if value, err := address.Email("it", "x"+string(r)+"x@example.org"); err == nil {
			from[value] = append(from[value], r)
		}
	}
	for value, letters := range from {
		switch len(letters) {
		case 1:
		case 2:
			upper, lower := letters[0], letters[1]
			if unicode.IsLower(upper) {
				upper, lower = lower, upper
			}
			if unicode.ToLower(upper) != lower || unicode.ToUpper(lower) != upper {
				t.Errorf("%U and %U become %q", upper, lower, value)
			}
		default:
			t.Errorf("%U become %q", letters, value)
		}
	}
	if len(from) < 100_000 {
		t.Errorf("only %d letters are accepted", len(from))
	}
}

// Every normaliser is sound for every character: alone, at the ends and inside. Letters are accepted, apart from those
// that Unicode itself replaces.
func TestEveryCharacter(t *testing.T) {
	for r := range rune(unicode.MaxRune + 1) {
		if !unicode.In(r, unicode.L, unicode.M, unicode.N, unicode.P, unicode.S, unicode.Z, unicode.Cc, unicode.Cf) {
			continue // nothing has been done to it that a neighbour would not show
		}
		for _, kind := range []string{"email", "handle", "id", "name"} {
			value := string(r) + "I\u0307" + string(r)
			if kind == "email" {
				value += "@" + value + ".example"
			}
			if got, err := kinds[kind](value, ""); err == nil {
				sound(t, kind, got, "")
			}
		}
		if unicode.IsLetter(r) {
			switch _, err := address.Email("it", string(r)+"@example.org"); codeOf(err) {
			case "":
			default:
				if !unicode.Is(unicode.Other_Default_Ignorable_Code_Point, r) { // the fillers of Hangul are letters that are not shown
					t.Errorf("%U: %v", r, err)
				}
			}
		}
	}
}

// Names are compared as Unicode's caseless matching of identifiers does it, so all simple and full case pairs are one.
func TestNamesIgnoreCase(t *testing.T) {
	for r := range rune(unicode.MaxRune + 1) {
		one := address.Name("x" + string(r))
		for other := unicode.SimpleFold(r); other != r; other = unicode.SimpleFold(other) {
			if got := address.Name("x" + string(other)); got != one {
				t.Errorf("%U is %q, %U is %q", r, one, other, got)
			}
		}
	}
}

func TestDigitsOfEveryScript(t *testing.T) {
	count := 0
	for r := range rune(unicode.MaxRune + 1) {
		if !unicode.Is(unicode.Nd, r) {
			continue
		}
		got, err := address.Phone("it", "+39066982000"+string(r), "")
		last := rune('0' + count%10)
		if want := "+39066982000" + string(last); err != nil || got != want {
			t.Errorf("%U: %q, %v, want %q", r, got, err, want)
		}
		count++
	}
}

// twice are the country codes of plans that give one telephone two numbers.
var twice = map[int32]bool{52: true, 54: true, 55: true, 229: true}

// The numbers that exist in each country stay as they are, so no two of them become one: here each country's examples, and
// those that differ from one in a digit.
func TestNumbersThatExist(t *testing.T) {
	for _, region := range regions[1:] {
		for _, kind := range []phonenumbers.PhoneNumberType{phonenumbers.FIXED_LINE, phonenumbers.MOBILE} {
			example := phonenumbers.GetExampleNumberForType(region, kind)
			if example == nil {
				continue
			}
			digits := phonenumbers.Format(example, phonenumbers.E164)
			prefix := len("+") + len(strconv.Itoa(int(example.GetCountryCode())))
			for i := prefix; i < len(digits); i++ {
				for _, d := range []byte{'0', '0' + (digits[i]-'0'+1)%10} {
					value := digits[:i] + string(d) + digits[i+1:]
					// As it stands, so not by Parse, which removes national prefixes.
					n := phonenumbers.PhoneNumber{CountryCode: example.CountryCode}
					national := value[prefix:]
					zeros := int32(len(national) - len(strings.TrimLeft(national, "0")))
					if zeros > 0 {
						n.ItalianLeadingZero, n.NumberOfLeadingZeros = new(true), &zeros
					}
					parsed, _ := strconv.ParseUint(national, 10, 64)
					n.NationalNumber = &parsed
					if !phonenumbers.IsValidNumber(&n) {
						continue
					}
					got, err := address.Phone("it", value, region)
					if err != nil || got != value && !twice[n.GetCountryCode()] {
						t.Errorf("%s in %s: %q, %v", value, region, got, err)
						continue
					}
					if other, err := address.Phone("it", "00"+value[1:], ""); err != nil || other != got {
						t.Errorf("00%s: %q, %v", value[1:], other, err)
					}
					if other, err := address.WhatsApp("it", value[1:], region); err != nil || other != got {
						t.Errorf("%s by WhatsApp in %s: %q, %v, want %q", value[1:], region, other, err, got)
					}
				}
			}
		}
	}
}

// The national and the international form of a number are one.
func TestNationalForms(t *testing.T) {
	for _, region := range regions[1:] {
		for _, kind := range []phonenumbers.PhoneNumberType{phonenumbers.FIXED_LINE, phonenumbers.MOBILE} {
			example := phonenumbers.GetExampleNumberForType(region, kind)
			if example == nil || region == "AR" && kind == phonenumbers.MOBILE { // the library writes its home form without the area code
				continue
			}
			want, err := address.Phone("it", phonenumbers.Format(example, phonenumbers.E164), "")
			if err != nil {
				t.Error(region, err)
			}
			for _, form := range []phonenumbers.PhoneNumberFormat{phonenumbers.NATIONAL, phonenumbers.INTERNATIONAL} {
				value := phonenumbers.Format(example, form)
				if got, err := address.Phone("it", value, region); err != nil || got != want {
					t.Errorf("%s in %s: %q, %v, want %q", value, region, got, err, want)
				}
			}
		}
	}
}

func TestPhonesAreSoundInEveryRegion(t *testing.T) {
	chars := rapid.StringOf(rapid.RuneFrom([]rune("0123456789 +-/().x,;#e")))
	digits := rapid.StringMatching(`(\+|00|0|011|)[1-9][0-9]{5,15}( ?(ext|x|;ext=)[0-9]{1,6})?`)
	rapid.Check(t, func(t *rapid.T) {
		value := rapid.OneOf(chars, digits).Draw(t, "value")
		region := rapid.SampledFrom(regions).Draw(t, "region")
		for _, kind := range []string{"phone", "whatsapp"} {
			got, err := kinds[kind](value, region)
			if err != nil {
				continue
			}
			elsewhere := rapid.SampledFrom(regions).Draw(t, "elsewhere")
			sound(t, kind, got, elsewhere)
			sound(t, "phone", got, "")
		}
	})
}

func TestSpellingsAreOne(t *testing.T) {
	text := rapid.StringOf(rapid.OneOf(rapid.Rune(), rapid.RuneFrom([]rune("abkßİıςσΣǰJ\u030c\u0307\u0323\u0301@.\u200b \u3002-"))))
	rapid.Check(t, func(t *rapid.T) {
		value := text.Draw(t, "value")
		for kind, normalise := range kinds {
			given := value
			if kind == "email" {
				given = value + "@" + text.Draw(t, "domain")
			}
			got, err := normalise(given, "")
			if err != nil {
				continue
			}
			sound(t, kind, got, "")
			for _, spelling := range []string{" \u200b" + given + "\u00ad\t", norm.NFD.String(given), norm.NFC.String(given)} {
				if other, err := normalise(spelling, ""); err != nil || other != got {
					t.Errorf("%s %q is %q, %q is %q, %v", kind, given, got, spelling, other, err)
				}
			}
		}
	})
}
