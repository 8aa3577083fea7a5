package testdesk

import (
	"cmp"
	"embed"
	"encoding/json"
	"maps"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"daybook/domain/desk"

	diff "github.com/google/go-cmp/cmp"
)

// files holds the shipped journal and its expected results.
//
//go:embed testdata
var files embed.FS

// Journal returns the shipped journal.
func Journal(t *testing.T) []byte {
	t.Helper()
	data, err := files.ReadFile("testdata/desk.journal.ndjson")
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// JournalFile returns the path of a copy of the shipped journal, in a folder in which its refused lines may be written.
func JournalFile(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "desk.journal.ndjson")
	if err := os.WriteFile(path, Journal(t), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// ExpectedOfJournal returns the expected results of the shipped journal.
func ExpectedOfJournal(t *testing.T) Expected {
	t.Helper()
	data, err := files.ReadFile("testdata/desk.expected.json")
	if err != nil {
		t.Fatal(err)
	}
	return expected(t, data)
}

// Expected holds the expected results of a journal, worked out without this program. What is left out is not checked.
type Expected struct {
	Zone                                                       string
	Lines, Accepted, Unchanged, Duplicate, Rejected, Malformed int
	Contacts                                                   int
	Outcomes                                                   []struct {
		Line    int
		Outcome string
	}
	TicketsByStatus  map[string]int                `json:"tickets_by_status"`
	StatusOfTicket   map[string]string             `json:"status_of_ticket"`
	FollowUps        map[string]int                `json:"follow_ups"`
	ContactsByName   map[string]int                `json:"contacts_by_name"`
	Reopens          *int                          `json:"reopens"`
	TicketsOfContact map[string]int                `json:"tickets_of_contact"`
	HistoryOfContact map[string][]historicTicket   `json:"history_of_contact"`
	AgentMonths      map[string]map[string]figures `json:"agent_months"`
	ResolvedAt       map[string]time.Time          `json:"resolved_at"`
	WorktimeSeconds  map[string]map[string]float64 `json:"worktime_seconds"`
	RejectedLines    []struct{ ID string }         `json:"rejected_lines"`
}

type historicTicket struct {
	Ticket     string     `json:"ticket"`
	OpenedAt   time.Time  `json:"opened_at"`
	Status     string     `json:"status"`
	Agent      string     `json:"agent"`
	Department string     `json:"department"`
	Priority   string     `json:"priority"`
	Tags       []string   `json:"tags"`
	ResolvedAt *time.Time `json:"resolved_at"`
	Reopens    int        `json:"reopens"`
}

// figures are an agent's figures in a month. Those of single tickets only say how much these tickets contribute.
type figures struct {
	Assigned          int            `json:"assigned_tickets"`
	Resolved          int            `json:"resolved_tickets"`
	Reopened          int            `json:"reopened"`
	FirstAssign       int            `json:"first_assign_time"`
	FirstAssignSum    float64        `json:"first_assign_time_sum_seconds"`
	FirstResolve      int            `json:"first_resolve_time"`
	FirstResolveSum   float64        `json:"first_resolve_time_sum_seconds"`
	AssignedOfTickets map[string]int `json:"assigned_tickets_of"`
	ResolvedOfTickets map[string]int `json:"resolved_of"`
	ReopenedOfTickets map[string]int `json:"reopened_of"`
}

func (f figures) ofTickets() bool {
	return f.AssignedOfTickets != nil || f.ResolvedOfTickets != nil || f.ReopenedOfTickets != nil
}

// Counts returns the expected counts of an import.
func (want Expected) Counts() desk.Counts {
	return desk.Counts{Lines: want.Lines, Accepted: want.Accepted, Unchanged: want.Unchanged, Duplicate: want.Duplicate, Rejected: want.Rejected, Malformed: want.Malformed}
}

// ReadExpected reads a file of expected results.
func ReadExpected(t *testing.T, path string) Expected {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return expected(t, data)
}

func expected(t *testing.T, data []byte) (e Expected) {
	t.Helper()
	if err := json.Unmarshal(data, &e); err != nil {
		t.Fatal(err)
	}
	return e
}

// names maps a desk's ids to the journal's names.
type names struct{ agents, departments, tags map[string]string }

func namesOf(t *testing.T, c Client) names {
	t.Helper()
	called := func(path, field string) map[string]string {
		m := map[string]string{}
		for _, row := range c.All(t, path) {
			if ref, _ := row[field].(string); ref != "" {
				m[row["id"].(string)] = ref
			}
		}
		return m
	}
	return names{called("/v1/agents", "ref"), called("/v1/departments", "ref"), called("/v1/tags?scope=tickets", "name")}
}

// of returns the journal's name of an id; null gives an empty name.
func of(names map[string]string, id any) string {
	if id == nil {
		return ""
	}
	return names[id.(string)]
}

// Holds checks through the API that a desk is as expected.
func (want Expected) Holds(t *testing.T, c Client) {
	t.Helper()
	called := namesOf(t, c)
	tickets := c.All(t, "/v1/tickets")
	byRef, byID := map[string]map[string]any{}, map[string]string{}
	status, reopens := map[string]int{}, 0
	for _, row := range tickets {
		ref, _ := row["ref"].(string)
		byRef[ref], byID[row["id"].(string)] = row, ref
		status[row["status"].(string)]++
		reopens += int(row["reopens"].(float64))
	}
	for ref, want := range want.StatusOfTicket {
		if got := byRef[ref]["status"]; got != want {
			t.Errorf("ticket %s is %v, want %s", ref, got, want)
		}
	}
	if want.TicketsByStatus != nil && !maps.Equal(status, want.TicketsByStatus) {
		t.Errorf("tickets by status: %v, want %v", status, want.TicketsByStatus)
	}
	for name := range status {
		if n := len(c.All(t, "/v1/tickets?status="+name)); n != status[name] {
			t.Errorf("a filter finds %d tickets that are %s, want %d", n, name, status[name])
		}
	}
	if want.Reopens != nil && reopens != *want.Reopens {
		t.Errorf("%d reopens, want %d", reopens, *want.Reopens)
	}
	for ref, want := range want.FollowUps {
		found := c.All(t, "/v1/tickets?follow_up_of="+byRef[ref]["id"].(string))
		if len(found) != want {
			t.Errorf("%s has %d follow-ups, want %d", ref, len(found), want)
		}
	}
	for ref, want := range want.ResolvedAt {
		if got := byRef[ref]["resolved_at"]; got != want.Format(time.RFC3339) {
			t.Errorf("%s is resolved at %v, want %v", ref, got, want)
		}
	}
	contactsHold(t, c, want, called)
	reportHolds(t, c, want, called)
	worktimeHolds(t, c, want, called)
}

func contactsHold(t *testing.T, c Client, want Expected, called names) {
	t.Helper()
	contacts := c.All(t, "/v1/contacts")
	byEmail, byName := map[string]string{}, map[string]int{}
	for _, row := range contacts {
		byName[row["name"].(string)]++
		for _, email := range row["emails"].([]any) {
			byEmail[email.(string)] = row["id"].(string)
		}
	}
	if want.Contacts > 0 && len(contacts) != want.Contacts {
		t.Errorf("%d contacts, want %d", len(contacts), want.Contacts)
	}
	for name, want := range want.ContactsByName {
		if byName[name] != want {
			t.Errorf("%d contacts are called %s, want %d", byName[name], name, want)
		}
	}
	for email, want := range want.TicketsOfContact {
		if got := len(c.All(t, "/v1/contacts/"+byEmail[email]+"/tickets")); got != want {
			t.Errorf("%s has %d tickets, want %d", email, got, want)
		}
	}
	for email, want := range want.HistoryOfContact {
		var got []historicTicket
		for i, row := range c.All(t, "/v1/contacts/"+byEmail[email]+"/tickets") {
			h := historicTicket{
				Status: row["status"].(string), Agent: of(called.agents, row["agent_id"]), Department: of(called.departments, row["department_id"]),
				Priority: row["priority"].(string), Tags: []string{}, Reopens: int(row["reopens"].(float64)),
			}
			h.Ticket, _ = row["ref"].(string)
			h.OpenedAt = instant(t, row["opened_at"])
			if row["resolved_at"] != nil {
				at := instant(t, row["resolved_at"])
				h.ResolvedAt = &at
			}
			for _, id := range row["tag_ids"].([]any) {
				h.Tags = append(h.Tags, of(called.tags, id))
			}
			if i > 0 && got[i-1].OpenedAt.Before(h.OpenedAt) {
				t.Errorf("%s: %s comes after %s, which is older", email, h.Ticket, got[i-1].Ticket)
			}
			got = append(got, h)
		}
		inOrder := func(list []historicTicket) { // tickets opened at the same time may come in any order
			slices.SortStableFunc(list, func(a, b historicTicket) int {
				return cmp.Or(b.OpenedAt.Compare(a.OpenedAt), cmp.Compare(a.Ticket, b.Ticket))
			})
			for i := range list {
				slices.Sort(list[i].Tags)
			}
		}
		inOrder(got)
		inOrder(want)
		if d := diff.Diff(want, got); d != "" {
			t.Errorf("the history of %s (-want +got):\n%s", email, d)
		}
	}
}

func instant(t *testing.T, value any) time.Time {
	t.Helper()
	at, err := time.Parse(time.RFC3339, value.(string))
	if err != nil {
		t.Fatal(err)
	}
	return at
}

// A ReportRow is a row of the agent report.
type ReportRow map[string]any

func (r ReportRow) n(metric string) int {
	switch v := r[metric].(type) {
	case float64:
		return int(v)
	case map[string]any:
		return int(v["n"].(float64))
	}
	return 0
}

func (r ReportRow) sum(metric string) float64 {
	v, _ := r[metric].(map[string]any)
	sum, _ := v["sum"].(float64)
	return sum
}

// Report gets the agent report.
func (c Client) Report(t *testing.T, query string, change ...With) []ReportRow {
	t.Helper()
	var r struct{ Data []ReportRow }
	c.Get(t, "/v1/reports/agents?"+query, change...).Into(t, &r)
	return r.Data
}

// reportHolds compares every month of every agent, and checks that there are no other rows.
func reportHolds(t *testing.T, c Client, want Expected, called names) {
	t.Helper()
	got := map[string]figures{}
	for _, row := range c.Report(t, "from=2005-01-01&to=2030-01-01&by=month&tz="+url.QueryEscape(want.Zone)) {
		f := figures{
			Assigned: row.n("assigned_tickets"), Resolved: row.n("resolved_tickets"), Reopened: row.n("reopened"),
			FirstAssign: row.n("first_assign_time"), FirstAssignSum: row.sum("first_assign_time"),
			FirstResolve: row.n("first_resolve_time"), FirstResolveSum: row.sum("first_resolve_time"),
		}
		if row["agent_id"] != nil && !diff.Equal(f, figures{}) {
			got[of(called.agents, row["agent_id"])+" "+row["bucket"].(string)] = f
		}
	}
	whole := map[string]figures{}
	for agent, months := range want.AgentMonths {
		for month, f := range months {
			g, ok := got[agent+" "+month]
			if f.ofTickets() || f.FirstAssign == 0 && f.FirstResolve == 0 && len(want.HistoryOfContact) == 0 {
				// Only some tickets are given, so these figures are lower bounds.
				if !ok || g.Assigned < total(f.AssignedOfTickets) || g.Resolved < max(f.Resolved, total(f.ResolvedOfTickets)) || g.Reopened < total(f.ReopenedOfTickets) {
					t.Errorf("%s in %s: %+v, want %+v", agent, month, g, f)
				}
				continue
			}
			whole[agent+" "+month] = f
		}
	}
	if len(want.HistoryOfContact) == 0 {
		return
	}
	if d := diff.Diff(whole, got); d != "" {
		t.Errorf("the figures (-want +got):\n%s", d)
	}
}

func total(of map[string]int) (n int) {
	for _, v := range of {
		n += v
	}
	return n
}

func worktimeHolds(t *testing.T, c Client, want Expected, called names) {
	t.Helper()
	for id, ref := range called.agents {
		days, there := want.WorktimeSeconds[ref]
		if !there {
			continue
		}
		got := map[string]float64{}
		for _, row := range c.Report(t, "from=2025-01-01&to=2026-12-31&by=day&metrics=worktime&agent="+id+"&tz="+url.QueryEscape(want.Zone)) {
			if seconds := row["worktime"].(float64); seconds != 0 {
				got[row["bucket"].(string)] = seconds
			}
		}
		if !maps.Equal(got, days) {
			t.Errorf("%s worked %v, want %v", ref, got, days)
		}
	}
}
