// Package domain is what is so on a support desk. It is pure: no clock, no I/O, no SQL.
//
// Each kind of thing has a room of its own below this one: its state, its events and what they change. This room holds
// only how the desk says no.
package domain

import (
	"errors"
	"fmt"
)

// A Refusal is one of the ways to say no.
type Refusal int

// The ways to say no. A caller who repeats an invalid command gets the same answer; one who repeats a conflicting
// command may get another.
const (
	RefusedInvalid   Refusal = iota // a value cannot be what it is
	RefusedForbidden                // the caller may not do this
	RefusedNotFound                 // there is no such thing
	RefusedConflict                 // a rule of the desk says no as things stand
	RefusedStale                    // the thing is no longer as the caller saw it
)

// An Error is the desk's no: a stable code for programs and a sentence that tells a person what to do.
// It never holds a personal value.
type Error struct {
	Refusal Refusal
	Code    string
	Message string
	Fields  []FieldError // each wrong field of an invalid command
}

// A FieldError says what is wrong with one field. Field is its name as the caller wrote it.
type FieldError struct {
	Field   string
	Code    string
	Message string
}

func (e *Error) Error() string { return e.Message }

// Invalid refuses one field of a command.
func Invalid(field, code, format string, args ...any) *Error {
	message := fmt.Sprintf(format, args...)
	return &Error{RefusedInvalid, code, message, []FieldError{{field, code, message}}}
}

// Forbidden refuses a caller.
func Forbidden(code, format string, args ...any) *Error {
	return &Error{Refusal: RefusedForbidden, Code: code, Message: fmt.Sprintf(format, args...)}
}

// NotFound says that there is no such thing.
func NotFound(code, format string, args ...any) *Error {
	return &Error{Refusal: RefusedNotFound, Code: code, Message: fmt.Sprintf(format, args...)}
}

// Conflict says that a rule forbids the command as things stand.
func Conflict(code, format string, args ...any) *Error {
	return &Error{Refusal: RefusedConflict, Code: code, Message: fmt.Sprintf(format, args...)}
}

// Stale says that the thing is no longer as the caller saw it.
func Stale(code, format string, args ...any) *Error {
	return &Error{Refusal: RefusedStale, Code: code, Message: fmt.Sprintf(format, args...)}
}

// Join makes one refusal of several invalid fields, so that a caller can mend them all at once.
// Nil errors are passed over; anything that is no refusal of a field is returned as it is.
func Join(errs ...error) error {
	var all *Error
	for _, err := range errs {
		if err == nil {
			continue
		}
		var one *Error
		if !errors.As(err, &one) || one.Refusal != RefusedInvalid {
			return err
		}
		if all == nil {
			all = &Error{one.Refusal, one.Code, one.Message, one.Fields}
			continue
		}
		all.Code = "invalid"
		all.Message = "Several fields are wrong; each is listed with what to do."
		all.Fields = append(all.Fields[:len(all.Fields):len(all.Fields)], one.Fields...)
	}
	if all == nil {
		return nil
	}
	return all
}
