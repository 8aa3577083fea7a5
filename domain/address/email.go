package address

import (
	"net/mail"
	"net/netip"
	"strings"
	"unicode"

	"golang.org/x/net/idna"
	"golang.org/x/text/unicode/norm"

	"daybook/domain"
)

// maxEmail is the longest address that a mail server takes, in bytes, its domain in ASCII (RFC 5321, 4.5.3.1.3). A local
// part may take all of it: that section's limit of 64 bytes is one for servers to support, and mail is sent from longer
// ones.
const maxEmail = 254

// Email normalises an e-mail address. The domain is in lower case and in Unicode. The local part is in lower case where
// that is certain to be the same letter. Neither is a rule of mail, which leaves local parts to the receiving server; no
// server in use gives Eve@ and eve@ to two people.
//
// An address is refused if it is more than an address: with a display name, a comment, quotes, or another beside it.
func Email(field, value string) (string, error) {
	value, err := clean(field, value)
	if err != nil {
		return "", err
	}
	at := strings.LastIndexByte(value, '@')
	if at < 0 {
		return "", malformedEmail(field)
	}
	local := compose(value[:at])
	if !isLocalPart(local) {
		return "", malformedEmail(field)
	}
	local = compose(strings.Map(lower, local)) // j and a caron are one letter, J and a caron are two
	shown, ascii, ok := host(value[at+1:])
	switch {
	case !ok:
		return "", malformedEmail(field)
	case len(local)+len("@")+len(ascii) > maxEmail:
		return "", domain.Invalid(field, "text-too-long", "%s may have at most %d bytes.", field, maxEmail)
	}
	return local + "@" + shown, nil
}

func malformedEmail(field string) error {
	return domain.Invalid(field, "email-malformed", "%s must be one e-mail address, such as eve@example.org, without a name or quotes.", field)
}

// IsQuoted reports whether a text is one e-mail address whose local part is in quotes, from which mail may come, but which Email refuses.
func IsQuoted(value string) bool {
	parsed, err := mail.ParseAddress(value)
	return err == nil && parsed.Name == "" && strings.HasPrefix(value, `"`)
}

// isLocalPart reports whether a text is a local part as it stands. Code points that Unicode does not define yet are
// refused, because a later version may make them the upper case of a letter.
func isLocalPart(local string) bool {
	for _, r := range local {
		if unicode.IsSpace(r) || !unicode.In(r, unicode.L, unicode.M, unicode.N, unicode.P, unicode.S) {
			return false
		}
	}
	address := local + "@example.org"
	parsed, err := mail.ParseAddress(address)
	return err == nil && parsed.Name == "" && parsed.Address == address
}

// lower returns the lower case of a letter if the two are a pair: if upper case leads back to the letter. Other letters
// stay as they are, because another letter has the same lower case: a dotted capital I, the Kelvin sign, a long s, a final
// sigma, a sharp s.
func lower(r rune) rune {
	if l := unicode.ToLower(r); unicode.ToUpper(l) == r {
		return l
	}
	return r
}

// lookup maps a domain as browsers and mail programs do before they look it up (UTS 46, non-transitional). Two domains
// that it maps to one are one in the DNS. Hyphens are checked in host, because some domains have two in a row.
var lookup = idna.New(idna.MapForLookup(), idna.Transitional(false), idna.StrictDomainName(true), idna.BidiRule(), idna.CheckJoiners(true), idna.CheckHyphens(false), idna.VerifyDNSLength(true))

// host returns the one form of a domain for people, and the one for the DNS. A domain is the name of a host, or the IP
// address of one in brackets.
func host(domain string) (shown, ascii string, ok bool) {
	if literal, found := strings.CutPrefix(domain, "["); found {
		shown, ok = literalHost(literal)
		return shown, shown, ok
	}
	if strings.Contains(domain, "ẞ") { // ss up to Unicode 15.0, ß from 15.1 on
		return "", "", false
	}
	ascii, err := lookup.ToASCII(norm.NFC.String(domain))
	if err != nil {
		return "", "", false
	}
	ascii = strings.TrimSuffix(ascii, ".")
	labels := strings.Split(ascii, ".")
	for _, label := range labels {
		if label == "" || strings.HasPrefix(label, "-") || strings.HasSuffix(label, "-") {
			return "", "", false
		}
	}
	if strings.Trim(labels[len(labels)-1], "0123456789") == "" { // an IP address without its brackets
		return "", "", false
	}
	shown, err = lookup.ToUnicode(ascii)
	if strings.ContainsFunc(shown, invisible) { // the joiners, which some scripts need
		shown = ascii
	}
	return shown, ascii, err == nil
}

// literalHost normalises an IP address in brackets, without the opening one (RFC 5321, 4.1.3).
func literalHost(literal string) (string, bool) {
	literal, closed := strings.CutSuffix(literal, "]")
	tag := ""
	if len(literal) > 5 && strings.EqualFold(literal[:5], "IPv6:") {
		tag, literal = "IPv6:", literal[5:]
	}
	ip, err := netip.ParseAddr(literal)
	if !closed || err != nil || ip.Zone() != "" || ip.Is6() != (tag != "") {
		return "", false
	}
	return "[" + tag + ip.String() + "]", true
}
