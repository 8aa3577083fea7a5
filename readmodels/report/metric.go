package report

// A Metric is one thing that a report says of an agent in a bucket. Its value holds all there is to it; what it means,
// event by event, is said in docs/metrics.md.
type Metric struct {
	Name    string  `json:"metric" doc:"Its name in a report"`
	Family  Family  `json:"family" doc:"What it is about: tickets or presence"`
	Kind    Kind    `json:"kind" doc:"count, duration (n, sum, avg, p50 and p90, in seconds), time (a sum in seconds) or rate (per hour of worktime)"`
	Scope   string  `json:"scope" doc:"Whose row it stands on"`
	Slices  []Slice `json:"slices" doc:"By what it can be filtered, besides by agent: department, channel and tag"`
	Meaning string  `json:"meaning" doc:"What it means"`

	Of Fact `json:"-"` // what is counted, measured, or summed up
}

// A Family is what metrics are about.
type Family string

// The families.
const (
	OfTickets  Family = "tickets"
	OfPresence Family = "presence"
)

// A Kind is how a metric is computed from its facts.
type Kind string

// The kinds of metrics. Time is in seconds.
const (
	Count    Kind = "count"    // how many facts
	Duration Kind = "duration" // what their seconds come to: a Sample
	Time     Kind = "time"     // the sum of their seconds
	Rate     Kind = "rate"     // how many facts for each hour of worktime; nil without worktime
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

// A Fact is a kind of thing that is noted for reports when it happens. Number is its place among the facts of one event,
// and so a part of their key: it stays, and no two facts have the same.
type Fact struct {
	Name   string
	Number int64
}

// Catalogue lists the metrics of the agent report, in the order in which it shows them.
var Catalogue = []Metric{
	Worktime, OnlineTickets, OnlineChats, OnlineCalls,
	CreatedTickets, AssignedTickets, ResolvedTickets, ReopenedTickets, Answers, Notes, TransfersOut, TransfersIn,
	NewAnswerTime, NextAnswerTime, FirstAssignTime, FirstResolveTime,
	AnswersPerHour, ResolvedPerHour,
}
