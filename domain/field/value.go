package field

import (
	"errors"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"daybook/domain"
	"daybook/domain/personal"
	"daybook/domain/text"
)

// Type is what a field can hold.
type Type string

// The types. A number is a decimal without rounding, a date a day.
const (
	Text   Type = "text"
	Number Type = "number"
	Date   Type = "date"
	YesNo  Type = "yes-no"
)

// Types lists the types.
var Types = []Type{Text, Number, Date, YesNo}

// Limits of values.
const (
	MaxText     = 4096 // bytes
	MaxDigits   = 34   // significant digits of a number
	MaxExponent = 30   // powers of ten of a number's last significant digit, either way
)

// A Value is what a thing has in a field. Type is the field's, so that the value can be read without it.
type Value struct {
	Field uuid.UUID     `json:"field"`
	Type  Type          `json:"type"`
	Value personal.Text `json:"value"` // in its one form
}

// Values are those of one thing. They are never changed in place.
type Values []Value

// With returns the values with another one.
func (v Values) With(one Value) Values { return append(v.Without(one.Field), one) }

// Without returns the values but that of a field.
func (v Values) Without(field uuid.UUID) Values {
	return slices.DeleteFunc(slices.Clone(v), func(of Value) bool { return of.Field == field })
}

// Of returns the value of a field, if there is one.
func (v Values) Of(field uuid.UUID) (Value, bool) {
	i := slices.IndexFunc(v, func(of Value) bool { return of.Field == field })
	if i < 0 {
		return Value{}, false
	}
	return v[i], true
}

// Read validates a value, as a caller sends it, and returns it in its one form: true and false become yes and no, numbers lose what they
// do not need, such as 1.50 and 15e-1, which both are 1.5.
func (t Type) Read(given any) (string, error) {
	written, isText := given.(string)
	yes, isYesNo := given.(bool)
	switch {
	case t == YesNo && isYesNo && yes:
		return "yes", nil
	case t == YesNo && isYesNo:
		return "no", nil
	case t == YesNo:
		return "", malformed("value must be true or false.")
	case !isText:
		return "", malformed("value must be a text in JSON, also if it is a number or a date.")
	case t == Number:
		return decimal(strings.TrimSpace(written))
	case t == Date:
		day, err := time.Parse(time.DateOnly, strings.TrimSpace(written))
		if err != nil || day.Year() < 1 {
			return "", malformed("value must be a day, such as 2014-02-01.")
		}
		return day.Format(time.DateOnly), nil
	}
	written = text.Keep(strings.TrimSpace(written))
	switch err := text.Check(written); {
	case errors.Is(err, text.ErrTooLong), err == nil && len(written) > MaxText:
		return "", domain.Invalid("value", "text-too-long", "value may have at most %d bytes.", MaxText)
	case err != nil:
		return "", domain.Invalid("value", "text-encoding", "value %v.", err)
	case written == "":
		return "", malformed("value must not be empty. To clear the field, delete its value.")
	}
	return written, nil
}

func malformed(sentence string) error {
	return domain.Invalid("value", "field-value-malformed", "%s", sentence)
}

var number = regexp.MustCompile(`^([+-]?)([0-9]{1,100})(?:\.([0-9]{1,100}))?(?:[eE]([+-]?[0-9]{1,4}))?$`)

// decimal returns a number without exponent, and without zeros that say nothing.
func decimal(written string) (string, error) {
	parts := number.FindStringSubmatch(written)
	if parts == nil {
		return "", malformed("value must be a decimal number, such as -12.50.")
	}
	sign, whole, fraction := parts[1], parts[2], parts[3]
	exponent, _ := strconv.Atoi(parts[4]) // none is 0
	digits := strings.TrimLeft(whole+fraction, "0")
	point := len(digits) - len(fraction) + exponent // digits before the decimal point
	digits = strings.TrimRight(digits, "0")
	switch {
	case digits == "":
		return "0", nil
	case len(digits) > MaxDigits, point-len(digits) > MaxExponent, point-len(digits) < -MaxExponent:
		return "", malformed("value must have at most 34 significant digits, at most 30 places after the point, and at most 30 zeros at its end.")
	case point <= 0:
		digits = "0." + strings.Repeat("0", -point) + digits
	case point >= len(digits):
		digits += strings.Repeat("0", point-len(digits))
	default:
		digits = digits[:point] + "." + digits[point:]
	}
	if sign == "-" {
		digits = "-" + digits
	}
	return digits, nil
}
