// Package picture is how a thing names its picture, which is not in the log: the vault keeps it under the key of whom it shows.
package picture

import "github.com/google/uuid"

// A Picture is a square picture in two sizes, by the random ids under which the vault keeps them. The zero value is none.
type Picture struct {
	Large uuid.UUID `json:"large"`
	Small uuid.UUID `json:"small"`
}

// A Set says that a thing has a picture, in place of the one that it had, if any. That one is destroyed.
type Set struct {
	Picture
	Replaced []uuid.UUID `json:"replaced,omitempty"`
}

// Destroyed returns what the vault no longer keeps.
func (s Set) Destroyed() []uuid.UUID { return s.Replaced }

// A Removed says that a thing no longer has its picture, which is destroyed.
type Removed struct {
	Removed []uuid.UUID `json:"removed"`
}

// Destroyed returns what the vault no longer keeps.
func (r Removed) Destroyed() []uuid.UUID { return r.Removed }

// IDs returns the ids of the sizes; nil: there is no picture.
func (p Picture) IDs() []uuid.UUID {
	if p == (Picture{}) {
		return nil
	}
	return []uuid.UUID{p.Large, p.Small}
}

// By returns the picture as what replaces another one.
func (p Picture) By(other Picture) Set { return Set{other, p.IDs()} }
