package address_test

import "testing"

func FuzzEmail(f *testing.F) {
	for _, seed := range []string{"Eve@Example.org", "\u212aim@example.org", "kİm@bücher。example.", "jose\u0301@xn--bcher-kva.example", "root@[IPv6:2001:db8::1]", "\"eve\"@example.org", "\u200beve@example.org\u00ad"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, value string) { normalisesOnce(t, "email", value, "") })
}

func FuzzPhone(f *testing.F) {
	for _, seed := range []string{"+39 06 6982 ext 4", "0039 06/69820004", "011 15 1234-5678", "+55 41 8799 1234", "+52 1 55 1234 5678", "+229 90 01 12 34", "tel:+1-212-555-0123;ext=5", "٠٢٢٧٩١٢٣٤٥", "00155 41 98799 1234", "(0)11 15 1234-5678"} {
		for _, region := range []string{"", "IT", "AR", "BR", "KR", "MX", "US"} {
			f.Add(seed, region)
		}
	}
	f.Fuzz(func(t *testing.T, value, region string) { normalisesOnce(t, "phone", value, region) })
}

func FuzzWhatsApp(f *testing.F) {
	for _, seed := range []string{"5541987991234", "554187991234", "5215512345678", "5491112345678", "22990011234", "+39 333 123 4567"} {
		for _, region := range []string{"", "IT", "AR", "BR", "MX", "US"} {
			f.Add(seed, region)
		}
	}
	f.Fuzz(func(t *testing.T, value, region string) { normalisesOnce(t, "whatsapp", value, region) })
}

func FuzzHandle(f *testing.F) {
	for _, seed := range []string{"@Xeno", "https://x.com/xeno", "xe no"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, value string) { normalisesOnce(t, "handle", value, "") })
}

func FuzzID(f *testing.F) {
	for _, seed := range []string{"v-17", "jose\u0301", "\u200bv\u00ad", "\u212a"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, value string) { normalisesOnce(t, "id", value, "") })
}

func FuzzName(f *testing.F) {
	for _, seed := range []string{"Café", "STRASSE", "b\u200bug", " Two\t words ", "\u13a0\uab70", "\u0345\u1fb3\u0301", "\u1e9e\ufb01"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, value string) { normalisesOnce(t, "name", value, "") })
}

// normalisesOnce requires that what a value becomes stays as it is.
func normalisesOnce(t *testing.T, kind, value, region string) {
	got, err := kinds[kind](value, region)
	if err != nil {
		if codeOf(err) == "" {
			t.Errorf("%s %q: %v is for no reader", kind, value, err)
		}
		return
	}
	sound(t, kind, got, region)
	sound(t, kind, got, "")
}
