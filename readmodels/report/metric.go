package report

import (
	"fmt"
	"slices"
)

// A Metric is one figure of an agent in a bucket. The value is its whole definition; docs/metrics.md explains it event by event.
type Metric struct {
	Name    string  `json:"metric" doc:"Its name in reports"`
	Family  Family  `json:"family" doc:"tickets or presence"`
	Kind    Kind    `json:"kind" doc:"count, duration (n, sum, avg, p50 and p90, in seconds), time (a sum in seconds) or rate (per hour of worktime)"`
	Scope   string  `json:"scope" doc:"The agent whose row it is on"`
	Slices  []Slice `json:"slices" doc:"What it can be filtered by, besides the agent: department, channel, tag"`
	Meaning string  `json:"meaning" doc:"What it means"`

	Of Fact `json:"-"` // what is counted, measured, or summed up
}

// A Family groups metrics by subject.
type Family string

// The families.
const (
	OfTickets  Family = "tickets"
	OfPresence Family = "presence"
)

// A Kind is how a metric is computed from its facts.
type Kind string

// The kinds of metrics. Durations and times are in seconds.
const (
	Count    Kind = "count"    // how many facts
	Duration Kind = "duration" // statistics of their seconds: a Sample
	Time     Kind = "time"     // the sum of their seconds
	Rate     Kind = "rate"     // how many facts per hour of worktime; nil without worktime
)

// A Slice is something that metrics can be filtered by.
type Slice string

// The slices.
const (
	ByDepartment Slice = "department"
	ByChannel    Slice = "channel"
	ByTag        Slice = "tag"
)

var (
	ticketSlices   = []Slice{ByDepartment, ByChannel, ByTag}
	presenceSlices = []Slice{ByDepartment}
)

// A Fact is a kind of row that reports are computed from. Number distinguishes the facts of one event and is part of their
// key: it never changes, and no two facts share one.
type Fact struct {
	Name   string
	Number Number
}

// A Number is that of a kind of fact. As text it is the fact's name.
type Number byte

// MarshalText returns the fact's name.
func (n Number) MarshalText() ([]byte, error) {
	for _, f := range allFacts() {
		if f.Number == n {
			return []byte(f.Name), nil
		}
	}
	return nil, fmt.Errorf("no fact has the number %d", n)
}

// UnmarshalText reads what MarshalText wrote.
func (n *Number) UnmarshalText(name []byte) error {
	for _, f := range allFacts() {
		if f.Name == string(name) {
			*n = f.Number
			return nil
		}
	}
	return fmt.Errorf("no fact is named %q", name)
}

func allFacts() []Fact { return slices.Concat(ticketFacts, presenceFacts) }

// Catalogue lists the metrics of the agent report, in the order of its columns.
var Catalogue = []Metric{
	Worktime, OnlineTickets, OnlineChats, OnlineCalls,
	CreatedTickets, AssignedTickets, ResolvedTickets, ReopenedTickets, Answers, Notes, TransfersOut, TransfersIn, TicketsTakenAway,
	NewAnswerTime, NextAnswerTime, FirstAssignTime, FirstResolveTime,
	AnswersPerHour, ResolvedPerHour,
}
