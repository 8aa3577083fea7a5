package contact

import (
	"time"

	"daybook/domain/personal"
)

// Visited: the contact was on the website. Of a contact who did nothing else it is recorded once a day, of others once in Session.
type Visited struct {
	Page     personal.Text `json:"page,omitzero"`     // its URL, without query and fragment
	Referrer personal.Text `json:"referrer,omitzero"` // the URL of the page before, without them
	Language string        `json:"language,omitempty"`
	Began    time.Time     `json:"began"` // in UTC
}

// Session is how long further visits belong to one that was recorded.
const Session = 30 * time.Minute

// EventType returns the stored name.
func (Visited) EventType() string { return "contact-visited" }

func (e Visited) apply(c *Contact) {
	c.Visited = e.Began
	if c.Language == "" {
		c.Language = e.Language
	}
}

// Engaged: the contact, who had only visited, did more: wrote, or had a ticket opened for them.
type Engaged struct{}

// EventType returns the stored name.
func (Engaged) EventType() string { return "contact-engaged" }

func (Engaged) apply(*Contact) {}

// Visiting reports whether an event is one of those that happen to who only visits.
func Visiting(e Event) bool {
	switch e := e.(type) {
	case Visited, ClaimLapsed:
		return true
	case Located:
		return e.Source == OfVisit
	}
	return false
}

// Recorded reports whether a visit at an instant is recorded.
func (c Contact) Recorded(at time.Time) bool {
	switch {
	case c.Visited.IsZero():
		return true
	case c.Mere:
		return at.UTC().Truncate(24 * time.Hour).After(c.Visited)
	}
	return at.Sub(c.Visited) >= Session
}
