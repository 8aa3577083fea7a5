// Package domain is the model of a support desk. It is pure: no clock, no I/O, no SQL.
//
// Each kind of thing has a package of its own below this one, with its state, its events and what they change. This
// package holds only the errors by which the desk refuses a request.
package domain

import (
	"errors"
	"fmt"
	"strings"
)

// A Refusal is the class of an Error.
type Refusal int

// The refusals. An invalid command is refused whenever it is repeated; a conflicting one may succeed later.
const (
	RefusedInvalid   Refusal = iota // a field has a value that it cannot have
	RefusedForbidden                // the caller may not do this
	RefusedNotFound                 // there is no such thing
	RefusedConflict                 // a rule of the desk forbids it in the current state
	RefusedStale                    // the thing has changed since the caller read it
	RefusedTooLarge                 // it is more than the desk takes at once
)

// An Error refuses a request. It has a stable code for programs, and a message that tells a person what is wrong and what
// to do. It never holds a personal value.
type Error struct {
	Refusal Refusal
	Code    string
	Message string
	Fields  []FieldError // every wrong field of an invalid command
}

// A FieldError says what is wrong with one field. Field is its name as the caller sent it.
type FieldError struct {
	Field   string
	Code    string
	Message string
}

// Error returns all that is wrong, for those who are not shown the fields.
func (e *Error) Error() string {
	if len(e.Fields) < 2 {
		return e.Message
	}
	var each []string
	for _, f := range e.Fields {
		each = append(each, f.Message)
	}
	return strings.Join(each, " ")
}

// Invalid returns the refusal of one field of a command.
func Invalid(field, code, format string, args ...any) *Error {
	message := fmt.Sprintf(format, args...)
	return &Error{RefusedInvalid, code, message, []FieldError{{field, code, message}}}
}

// Forbidden returns the refusal of a caller who may not do this.
func Forbidden(code, format string, args ...any) *Error {
	return &Error{Refusal: RefusedForbidden, Code: code, Message: fmt.Sprintf(format, args...)}
}

// NotFound returns the refusal for a thing that does not exist.
func NotFound(code, format string, args ...any) *Error {
	return &Error{Refusal: RefusedNotFound, Code: code, Message: fmt.Sprintf(format, args...)}
}

// Conflict returns the refusal of a command that a rule forbids in the current state.
func Conflict(code, format string, args ...any) *Error {
	return &Error{Refusal: RefusedConflict, Code: code, Message: fmt.Sprintf(format, args...)}
}

// Stale returns the refusal of a command on a thing that has changed since the caller read it.
func Stale(code, format string, args ...any) *Error {
	return &Error{Refusal: RefusedStale, Code: code, Message: fmt.Sprintf(format, args...)}
}

// TooLarge returns the refusal of more than the desk takes at once.
func TooLarge(code, format string, args ...any) *Error {
	return &Error{Refusal: RefusedTooLarge, Code: code, Message: fmt.Sprintf(format, args...)}
}

// Join combines the refusals of several fields into one, so that a caller can fix them all at once. It ignores nil errors
// and returns the first error that is not a RefusedInvalid *Error as it is.
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
		all.Message = "Several fields are wrong. Each is listed with what to do."
		all.Fields = append(all.Fields[:len(all.Fields):len(all.Fields)], one.Fields...)
	}
	if all == nil {
		return nil
	}
	return all
}
