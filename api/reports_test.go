package api_test

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"daybook/internal/testdesk"
)

// A script writes a journal, line by line.
type script struct {
	strings.Builder
	n int
}

func (s *script) line(at, by, do string, fields ...string) {
	s.n++
	l := map[string]any{"id": fmt.Sprint("r", s.n), "at": at, "by": by, "do": do}
	for i := 0; i < len(fields); i += 2 {
		l[fields[i]] = fields[i+1]
	}
	text, _ := json.Marshal(l) // of strings
	s.Write(append(text, '\n'))
}

func (s *script) open(at, name string) {
	s.n++
	fmt.Fprintf(s, `{"id":"r%d","at":%q,"by":"system","do":"ticket.open","ticket":%q,"channel":"email","from":{"email":"nora@customers.example"},"subject":"S"}`+"\n", s.n, at, name)
}

// agents starts a script with agents who sign in and out.
func agents(names ...string) *script {
	s := new(script)
	for _, name := range names {
		s.line("2010-01-01T00:00:00Z", "system", "agent.create", "agent", name, "name", name, "email", name+"@desk.example", "role", "agent")
	}
	return s
}

func (s *script) works(name, from, to string) {
	s.line(from, "agent:"+name, "agent.sign_in", "agent", name, "device", "panel")
	s.line(to, "agent:"+name, "agent.sign_out", "agent", name, "device", "panel")
}

// playsReport imports a script into a new desk.
func playsReport(t *testing.T, s *script) testdesk.Client {
	t.Helper()
	c := testdesk.Serve(t, t.TempDir())
	if got := c.Play(t, []byte(s.String())); got.Accepted != s.n {
		t.Fatalf("the script was not taken: %+v", got)
	}
	c.CaughtUp(t)
	return c
}

func column(rows []testdesk.ReportRow, metric string) map[string]float64 {
	all := map[string]float64{}
	for _, row := range rows {
		if v, ok := row[metric].(float64); ok && v != 0 {
			all[row["bucket"].(string)] += v
		}
	}
	return all
}

// TestReportOverClockChanges reports by hour and by day on agents who work all day, on days that are not 24 hours long.
func TestReportOverClockChanges(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		zone, day string // the local day
		hours     float64
		buckets   int     // by hour
		shortest  float64 // bucket, in seconds
		first     string  // the key of the first hour
	}{
		{"Europe/Rome", "2025-03-30", 23, 23, 3600, ""},
		{"Europe/Rome", "2025-10-26", 25, 25, 3600, ""},
		{"Europe/Rome", "2025-06-01", 24, 24, 3600, ""},
		{"Australia/Lord_Howe", "2025-04-06", 24.5, 0, 1800, ""},
		{"Australia/Lord_Howe", "2025-10-05", 23.5, 0, 1800, ""},
		{"America/Sao_Paulo", "2018-11-04", 23, 23, 3600, "01:00"}, // its midnight was skipped
		{"Africa/Cairo", "2024-04-26", 23, 23, 3600, "01:00"},
		{"Asia/Kathmandu", "2025-01-01", 24, 24, 3600, ""}, // 5:45 from UTC
	} {
		t.Run(strings.ReplaceAll(test.zone, "/", "-")+" "+test.day, func(t *testing.T) {
			t.Parallel()
			zone, err := time.LoadLocation(test.zone)
			if err != nil {
				t.Skip(err)
			}
			day, err := time.Parse(time.DateOnly, test.day)
			if err != nil {
				t.Fatal(err)
			}
			noon := time.Date(day.Year(), day.Month(), day.Day(), 12, 0, 0, 0, zone)
			s := agents("ada")
			s.works("ada", noon.Add(-40*time.Hour).Format(time.RFC3339), noon.Add(40*time.Hour).Format(time.RFC3339))
			c := playsReport(t, s)
			query := "from=" + test.day + "&to=" + day.AddDate(0, 0, 1).Format(time.DateOnly) + "&metrics=worktime&tz=" + url.QueryEscape(test.zone)
			daily := column(c.Report(t, query+"&by=day"), "worktime")
			if want := map[string]float64{test.day: test.hours * 3600}; !maps.Equal(daily, want) {
				t.Errorf("by day: %v, want %v", daily, want)
			}
			rows := c.Report(t, query+"&by=hour")
			hourly := column(rows, "worktime")
			if len(rows) != len(hourly) {
				t.Errorf("%d rows of %d hours: two have one name", len(rows), len(hourly))
			}
			sum, shortest := 0.0, math.Inf(1)
			for _, seconds := range hourly {
				sum, shortest = sum+seconds, min(shortest, seconds)
				if seconds > 3600 {
					t.Errorf("an hour has %v seconds", seconds)
				}
			}
			if sum != test.hours*3600 || shortest != test.shortest || test.buckets > 0 && len(hourly) != test.buckets {
				t.Errorf("by hour: %d buckets, %v seconds, the shortest %v: %v", len(hourly), sum, shortest, slices.Sorted(maps.Keys(hourly)))
			}
			keys := make([]time.Time, len(rows))
			for i, row := range rows {
				key := row["bucket"].(string)
				at, err := time.Parse("2006-01-02T15:04Z07:00", key)
				if err != nil {
					at, err = time.Parse(time.RFC3339, key)
				}
				if err != nil {
					t.Fatalf("the name of an hour carries no offset: %s", key)
				}
				keys[i] = at
				if i > 0 && !keys[i-1].Before(at) {
					t.Errorf("%s comes after %s", key, keys[i-1])
				}
			}
			if test.first != "" && keys[0].Format("15:04") != test.first {
				t.Errorf("the day begins at %s, want %s", keys[0].Format("15:04"), test.first)
			}
		})
	}
}

// TestReportIsKnownForEver asks for a report with known_at, and gets the same bytes whatever was imported since.
func TestReportIsKnownForEver(t *testing.T) {
	t.Parallel()
	s := agents("ada", "ben")
	s.open("2025-03-03T10:00:00Z", "one")
	s.line("2025-03-03T11:00:00Z", "agent:ada", "ticket.resolve", "ticket", "one")
	s.line("2025-03-03T08:00:00Z", "agent:ada", "agent.sign_in", "agent", "ada", "device", "panel") // and never signs out
	c := playsReport(t, s)
	query := "/v1/reports/agents?from=2025-01-01&to=2026-01-01&by=month&tz=Europe/Rome"
	first := c.Get(t, query)
	known := first.Object(t)["known_at"].(string)
	at := query + "&known_at=" + known
	if again := c.Get(t, at); string(again.Body) != string(first.Body) {
		t.Errorf("known at %s: %s, want %s", known, again.Body, first.Body)
	}
	more := &script{n: s.n}
	more.open("2025-02-01T10:00:00Z", "two") // backdated
	more.line("2025-02-01T11:00:00Z", "agent:ben", "ticket.resolve", "ticket", "two")
	more.line("2025-03-03T12:00:00Z", "agent:ben", "ticket.reopen", "ticket", "one")
	more.line("2025-03-03T12:30:00Z", "agent:ben", "ticket.spam", "ticket", "one") // from now on it is not counted
	more.line("2025-03-03T18:00:00Z", "agent:ada", "agent.sign_out", "agent", "ada", "device", "panel")
	c.Play(t, []byte(more.String()))
	c.CaughtUp(t)
	if again := c.Get(t, at); string(again.Body) != string(first.Body) {
		t.Errorf("later, known at %s:\n%s, want\n%s", known, again.Body, first.Body)
	}
	if now := c.Get(t, query); string(now.Body) == string(first.Body) {
		t.Error("what is known now is what was known then")
	}
}

// TestReportKnownAtOnce asks for a report with known_at while the read models are far behind the log. The answer must be the
// same as later.
func TestReportKnownAtOnce(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	program := testdesk.Built(t)
	c, stop := program.Serve(t, folder)
	c.CaughtUp(t)
	stop()
	behind, err := filepath.Glob(filepath.Join(folder, "readmodels-*.db"))
	if err != nil || len(behind) != 1 {
		t.Fatalf("%v: %v", err, behind)
	}
	early, err := os.ReadFile(behind[0])
	if err != nil {
		t.Fatal(err)
	}
	s := agents("ada")
	for i := range 3000 {
		s.open("2025-03-03T10:00:00Z", fmt.Sprint("t", i))
	}
	journal := filepath.Join(t.TempDir(), "journal")
	if err := os.WriteFile(journal, []byte(s.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	program.Must(t, 0, "import", "--data", folder, journal)
	if err := os.WriteFile(behind[0], early, 0o600); err != nil {
		t.Fatal(err)
	}
	c = testdesk.Serve(t, folder)
	query := "/v1/reports/agents?from=2025-01-01&to=2026-01-01&by=month&known_at=" + url.QueryEscape(time.Now().UTC().Format(time.RFC3339Nano))
	var first testdesk.Answer
	testdesk.Eventually(t, "the read models are there", func() bool {
		first = c.Do(t, "GET", query, nil)
		return first.Status == http.StatusOK
	})
	c.CaughtUp(t)
	if again := c.Get(t, query); string(again.Body) != string(first.Body) {
		t.Errorf("first %s, then %s", first.Body, again.Body)
	}
	c.Refused(t, 422, "instant-in-future", "GET", "/v1/reports/agents?from=2025-01-01&to=2026-01-01&known_at=2199-01-01T00:00:00Z", nil)
}

// TestReportKeepsNames renames an agent after a report. With the same known_at, the report must not change.
func TestReportKeepsNames(t *testing.T) {
	t.Parallel()
	s := agents("ada")
	s.works("ada", "2025-03-03T08:00:00Z", "2025-03-03T09:00:00Z")
	c := playsReport(t, s)
	query := "/v1/reports/agents?from=2025-01-01&to=2026-01-01&by=month"
	first := c.Get(t, query)
	c.Must(t, 200, "PATCH", "/v1/agents/"+c.All(t, "/v1/agents?ref=ada")[0]["id"].(string), map[string]any{"name": "Zoe"})
	c.CaughtUp(t)
	if again := c.Get(t, query+"&known_at="+first.Object(t)["known_at"].(string)); string(again.Body) != string(first.Body) {
		t.Errorf("got\n%s, want\n%s", again.Body, first.Body)
	}
}

// TestReportFigures reports on durations whose median, 90th percentile (by nearest rank) and mean are known.
func TestReportFigures(t *testing.T) {
	t.Parallel()
	s := agents("ada")
	opened := time.Date(2025, 3, 3, 10, 0, 0, 0, time.UTC)
	for i := 1; i <= 11; i++ { // resolved after 1, 4, 9 … 121 minutes
		name := fmt.Sprint("t", i)
		s.open(opened.Format(time.RFC3339), name)
		s.line(opened.Add(time.Duration(i*i)*time.Minute).Format(time.RFC3339), "agent:ada", "ticket.resolve", "ticket", name)
	}
	c := playsReport(t, s)
	rows := c.Report(t, "from=2025-03-03&to=2025-03-04&by=day")
	want := map[string]any{"n": 11.0, "sum": 506 * 60.0, "avg": 46 * 60.0, "p50": 36 * 60.0, "p90": 100 * 60.0}
	var ada testdesk.ReportRow
	for _, row := range rows {
		if row["agent"] == "ada" {
			ada = row
		}
	}
	if got := ada["first_resolve_time"].(map[string]any); !maps.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if got := ada["new_answer_time"].(map[string]any); got["n"] != 0.0 || got["sum"] != nil || got["avg"] != nil || got["p50"] != nil || got["p90"] != nil {
		t.Errorf("without a sample: %v", got)
	}
	if ada["answers_ph"] != nil || ada["resolved_tickets_ph"] != nil {
		t.Errorf("rates without worktime: %v, %v", ada["answers_ph"], ada["resolved_tickets_ph"])
	}
	table := c.Get(t, "/v1/reports/agents?from=2025-03-03&to=2025-03-04&by=day&metrics=resolved_tickets,first_resolve_time", testdesk.Header("Accept", "text/csv"))
	lines, err := csv.NewReader(strings.NewReader(string(table.Body))).ReadAll()
	if err != nil || len(lines) < 2 || !slices.Equal(lines[0], []string{"bucket", "agent_id", "agent", "resolved_tickets", "first_resolve_time_n", "first_resolve_time_sum", "first_resolve_time_avg", "first_resolve_time_p50", "first_resolve_time_p90"}) {
		t.Fatalf("%v: %q", err, lines)
	}
	if got := strings.Join(lines[1][2:], ","); got != "ada,11,11,30360,2760,2160,6000" {
		t.Errorf("CSV: %s", got)
	}
}

// TestReportOfNothing asks for reports without data.
func TestReportOfNothing(t *testing.T) {
	t.Parallel()
	s := agents("ada", "ben")
	s.works("ada", "2025-03-03T08:00:00Z", "2025-03-03T09:00:00Z")
	c := playsReport(t, s)
	const days = "from=2025-03-01&to=2025-04-01"
	ada := c.All(t, "/v1/agents?ref=ada")[0]["id"].(string)
	if rows := c.Report(t, days+"&metrics=worktime,answers"); len(rows) != 1 {
		t.Errorf("worktime: %v", rows)
	}
	if rows := c.Report(t, days+"&metrics=answers,answers_ph,new_answer_time"); len(rows) != 0 {
		t.Errorf("rows of zeros: %v", rows)
	}
	for _, path := range []string{"/v1/reports/agents.csv?", "/v1/reports/agents/" + ada + "?"} {
		table := c.Get(t, path+days+"&metrics=answers,new_answer_time", testdesk.Header("Accept", "text/csv"))
		if got, want := string(table.Body), "bucket,agent_id,agent,answers,new_answer_time_n,new_answer_time_sum,new_answer_time_avg,new_answer_time_p50,new_answer_time_p90\n"; got != want {
			t.Errorf("%s: %q, want %q", path, got, want)
		}
	}
	one := c.Get(t, "/v1/reports/agents/"+ada+"?"+days).Object(t)["data"].([]any)
	if len(one) != 1 || one[0].(map[string]any)["agent"] != "ada" {
		t.Errorf("ada's report: %v", one)
	}
	c.Refused(t, 404, "agent-unknown", "GET", "/v1/reports/agents/"+uuid.NewString()+"?"+days, nil)
	c.Refused(t, 422, "invalid", "GET", "/v1/reports/agents/"+ada+"?"+days+"&agent="+ada, nil)
}

// TestReportMistakes covers cases that other help desks' reports got wrong, each from an entry in a changelog.
func TestReportMistakes(t *testing.T) {
	t.Parallel()
	s := agents("ada", "ben")
	for i := range 5 { // bulk resolve is one resolution for each ticket
		s.open("2025-03-03T10:00:00Z", fmt.Sprint("bulk", i))
	}
	for i := range 5 {
		s.line("2025-03-03T11:00:00Z", "agent:ada", "ticket.resolve", "ticket", fmt.Sprint("bulk", i))
	}
	s.line("2025-03-03T12:00:00Z", "agent:ada", "ticket.reopen", "ticket", "bulk0")
	s.line("2025-03-03T13:00:00Z", "agent:ben", "ticket.resolve", "ticket", "bulk0") // counts for ben, but not as a first resolution
	s.line("2025-03-03T14:00:00Z", "system", "ticket.reopen", "ticket", "bulk0")     // charged to ben
	s.line("2025-03-03T14:30:00Z", "system", "ticket.resolve", "ticket", "bulk0")    // counts for no agent
	s.line("2025-03-03T14:00:00Z", "agent:ada", "ticket.note", "ticket", "bulk1", "body", "n")
	s.line("2025-03-03T14:00:00Z", "system", "ticket.note", "ticket", "bulk1", "body", "n") // counts for no agent
	// Worktime ends at sign-out, leaves out breaks, counts two devices once, and is not negative if clocks disagree.
	s.line("2025-03-04T08:00:00Z", "agent:ada", "agent.sign_in", "agent", "ada", "device", "panel")
	s.line("2025-03-04T09:00:00Z", "agent:ada", "agent.sign_in", "agent", "ada", "device", "android")
	s.line("2025-03-04T10:00:00Z", "agent:ada", "agent.pause", "agent", "ada")
	s.line("2025-03-04T11:00:00Z", "agent:ada", "agent.unpause", "agent", "ada")
	s.line("2025-03-04T12:00:00Z", "agent:ada", "agent.sign_out", "agent", "ada", "device", "panel")
	s.line("2025-03-04T13:00:00Z", "agent:ada", "agent.sign_out", "agent", "ada", "device", "android")
	s.line("2025-03-04T20:00:00Z", "agent:ben", "agent.sign_in", "agent", "ben", "device", "panel")
	s.line("2025-03-04T19:00:00Z", "agent:ben", "agent.sign_out", "agent", "ben", "device", "panel") // ends nothing
	s.line("2025-03-04T21:00:00Z", "agent:ben", "agent.sign_out", "agent", "ben", "device", "panel")
	s.open("2025-03-05T10:00:00Z", "backwards")
	s.line("2025-03-05T09:00:00Z", "agent:ada", "ticket.resolve", "ticket", "backwards")
	// Spam is not counted; a ticket that was deleted and restored is.
	s.open("2025-03-06T10:00:00Z", "spam")
	s.line("2025-03-06T10:10:00Z", "agent:ada", "ticket.reply", "ticket", "spam", "body", "b")
	s.line("2025-03-06T10:20:00Z", "agent:ada", "ticket.spam", "ticket", "spam")
	s.open("2025-03-06T10:00:00Z", "back")
	s.line("2025-03-06T10:10:00Z", "agent:ada", "ticket.delete", "ticket", "back")
	s.line("2025-03-06T10:20:00Z", "agent:ada", "ticket.restore", "ticket", "back")
	// What a program writes answers nothing.
	s.open("2025-03-07T09:00:00Z", "program")
	s.line("2025-03-07T09:10:00Z", "agent:ada", "ticket.reply", "ticket", "program", "body", "b")
	s.line("2025-03-07T10:00:00Z", "contact", "ticket.receive", "ticket", "program", "body", "b")
	s.line("2025-03-07T10:00:01Z", "key:shop", "ticket.reply", "ticket", "program", "body", "b")
	s.line("2025-03-07T11:00:00Z", "agent:ada", "ticket.reply", "ticket", "program", "body", "b")
	// A ticket that is taken back from spam is what it was; if the contact wrote meanwhile, it is reopened then.
	for _, name := range []string{"quiet", "loud"} {
		s.open("2025-03-08T10:00:00Z", name)
		s.line("2025-03-08T10:10:00Z", "agent:ada", "ticket.resolve", "ticket", name)
		s.line("2025-03-08T10:20:00Z", "agent:ben", "ticket.spam", "ticket", name)
	}
	s.line("2025-03-08T10:30:00Z", "contact", "ticket.receive", "ticket", "loud", "body", "b")
	for _, name := range []string{"quiet", "loud"} {
		s.line("2025-03-09T10:00:00Z", "agent:ben", "ticket.unspam", "ticket", name)
	}
	s.line("2025-03-09T11:00:00Z", "agent:ben", "ticket.reply", "ticket", "loud", "body", "b")
	// A break ends with the last session. One outside a session is none.
	s.line("2025-03-08T08:00:00Z", "agent:ben", "agent.sign_in", "agent", "ben", "device", "panel")
	s.line("2025-03-08T15:30:00Z", "agent:ben", "agent.pause", "agent", "ben")
	s.line("2025-03-08T16:00:00Z", "agent:ben", "agent.sign_out", "agent", "ben", "device", "panel")
	s.line("2025-03-08T17:00:00Z", "agent:ben", "agent.pause", "agent", "ben")
	s.works("ben", "2025-03-09T08:00:00Z", "2025-03-09T16:00:00Z")
	c := playsReport(t, s)
	figure := func(day, agent, metric string) any {
		t.Helper()
		next, err := time.Parse(time.DateOnly, day)
		if err != nil {
			t.Fatal(err)
		}
		for _, row := range c.Report(t, "from="+day+"&to="+next.AddDate(0, 0, 1).Format(time.DateOnly)) {
			if row["agent"] == agent {
				if sample, ok := row[metric].(map[string]any); ok {
					return fmt.Sprint(sample["n"], " ", sample["sum"])
				}
				return row[metric]
			}
		}
		return nil
	}
	for _, test := range []struct {
		day, agent, metric string
		want               any
	}{
		{"2025-03-03", "ada", "resolved_tickets", 5.0},
		{"2025-03-03", "ben", "resolved_tickets", 1.0},
		{"2025-03-03", "", "resolved_tickets", 1.0},
		{"2025-03-03", "ada", "reopened", 1.0},
		{"2025-03-03", "ben", "reopened", 1.0},
		{"2025-03-03", "ada", "first_resolve_time", "5 18000"},
		{"2025-03-03", "ben", "first_resolve_time", "0 <nil>"},
		{"2025-03-03", "ada", "notes", 1.0},
		{"2025-03-03", "", "created_tickets", 5.0},
		{"2025-03-04", "ada", "worktime", 4 * 3600.0},
		{"2025-03-04", "ben", "worktime", 3600.0},
		{"2025-03-05", "ada", "first_resolve_time", "1 0"},
		{"2025-03-06", "", "created_tickets", 1.0},
		{"2025-03-06", "ada", "answers", nil},
		{"2025-03-07", "ada", "answers", 2.0},
		{"2025-03-07", "ada", "next_answer_time", "1 3600"},
		{"2025-03-07", "", "answers", 0.0},
		{"2025-03-08", "ada", "reopened", 0.0},
		{"2025-03-09", "ada", "reopened", 1.0},
		{"2025-03-09", "ben", "reopened", 0.0},
		{"2025-03-09", "ben", "next_answer_time", "1 3600"},
		{"2025-03-08", "ben", "worktime", 7.5 * 3600},
		{"2025-03-09", "ben", "worktime", 8 * 3600.0},
	} {
		if got := figure(test.day, test.agent, test.metric); got != test.want {
			t.Errorf("%s of %q on %s: %v, want %v", test.metric, test.agent, test.day, got, test.want)
		}
	}
	for _, row := range c.Report(t, "from=2025-03-01&to=2025-03-10&by=hour") {
		for name, value := range row {
			if n, ok := value.(float64); ok && n < 0 {
				t.Errorf("%s is %v in %s", name, n, row["bucket"])
			}
		}
	}
	for ref, want := range map[string][3]any{
		"program": {"answered", 2.0, 0.0}, "quiet": {"resolved", 0.0, 0.0}, "loud": {"answered", 1.0, 1.0},
	} {
		row := c.All(t, "/v1/tickets?ref="+ref)[0]
		if got := [3]any{row["status"], row["answers"], row["reopens"]}; got != want {
			t.Errorf("%s is %v, want %v", ref, got, want)
		}
	}
	if n := len(c.Report(t, "from=2025-03-06&to=2025-03-07&excluded=true&metrics=answers")); n == 0 {
		t.Error("with excluded=true, what became spam is not there")
	}
}

// TestTransfers is case 6.14: a transfer counts for who did it, and a first department or a first assignment is none. Whose
// ticket somebody else assigned to a third has it taken away. The ticket of a deleted agent comes from nobody (case 6.19).
func TestTransfers(t *testing.T) {
	t.Parallel()
	d := staff(t)
	for _, name := range []string{"ada", "boss"} {
		d.Must(t, 200, "PUT", "/v1/agents/"+d.id[name]+"/departments/"+d.sales, nil)
	}
	does := func(who, ticket, command string, body any) {
		t.Helper()
		d.as[who].Must(t, 200, "POST", "/v1/tickets/"+ticket+"/"+command, body)
	}
	to := func(who string) map[string]any { return map[string]any{"agent_id": d.id[who]} }
	in := func(department string) map[string]any { return map[string]any{"department_id": department} }
	ticket := d.opened(t, "")
	does("boss", ticket, "transfer", in(d.sales)) // a first department
	does("boss", ticket, "assign", to("ada"))     // a first assignment
	does("boss", ticket, "assign", to("ben"))     // out by Boss, taken from Ada, in to Ben
	does("ben", ticket, "assign", to("ada"))      // out by Ben, in to Ada
	does("boss", ticket, "transfer", in(d.support))
	does("ada", ticket, "resolve", nil)
	d.Must(t, 200, "DELETE", "/v1/agents/"+d.id["ada"], nil)
	d.Must(t, 200, "POST", "/v1/tickets/"+ticket+"/messages", map[string]any{"body": "It broke again"})
	does("ben", ticket, "assign", to("ben")) // of nobody
	d.CaughtUp(t)
	want := map[any]string{d.id["ada"]: "0 1 1", d.id["ben"]: "1 1 0", d.id["boss"]: "2 0 0"}
	for _, row := range d.Report(t, "from=2020-01-01&to=2100-01-01&by=month&metrics=transfers_out,transfers_in,taken_away") {
		if got := fmt.Sprint(row["transfers_out"], row["transfers_in"], row["taken_away"]); got != want[row["agent_id"]] {
			t.Errorf("%v: out, in and taken away are %s, want %s", row["agent"], got, want[row["agent_id"]])
		}
		delete(want, row["agent_id"])
	}
	if len(want) > 0 {
		t.Errorf("no rows for %v", want)
	}
}

// TestWorktimeByWhenThingsHappened is cases 6.1 to 6.4, 6.26 and 6.27: time belongs to when things happened, whatever the order in which
// they were recorded.
func TestWorktimeByWhenThingsHappened(t *testing.T) {
	t.Parallel()
	days := []string{"2025-03-03", "2025-03-04", "2025-03-05"}
	type change struct{ at, verb, device string }
	for _, test := range []struct {
		name      string
		changes   []change
		hours     []float64 // of each day
		anomalies float64
	}{
		{"case 6.1: a phone within the panel's session", []change{
			{"03T08:00", "sign_in", "panel"}, {"03T12:00", "sign_out", "panel"}, {"03T09:00", "sign_in", "phone"}, {"03T11:00", "sign_out", "phone"},
		}, []float64{4, 0, 0}, 0},
		{"case 6.2: the phone's session ended earlier", []change{
			{"03T08:00", "sign_in", "panel"}, {"03T08:30", "sign_in", "phone"}, {"03T12:00", "sign_out", "panel"}, {"03T09:00", "sign_out", "phone"},
		}, []float64{4, 0, 0}, 0},
		{"case 6.3: a break of the day before", []change{
			{"04T08:00", "sign_in", "panel"}, {"03T12:00", "pause", ""}, {"03T12:30", "unpause", ""}, {"04T16:00", "sign_out", "panel"},
		}, []float64{0, 8, 0}, 1},
		{"case 6.4: a break within a session that is over", []change{
			{"03T08:00", "sign_in", "panel"}, {"03T12:00", "sign_out", "panel"}, {"03T09:00", "pause", ""}, {"03T10:00", "unpause", ""},
		}, []float64{3, 0, 0}, 0},
		{"case 6.26: a break ends with the session", []change{
			{"03T08:00", "sign_in", "panel"}, {"03T15:30", "pause", ""}, {"03T16:00", "sign_out", "panel"}, {"03T17:00", "pause", ""},
			{"04T08:00", "sign_in", "panel"}, {"04T16:00", "sign_out", "panel"},
		}, []float64{7.5, 8, 0}, 1},
		{"case 6.27: a sign-out is missing", []change{
			{"03T08:00", "sign_in", "phone"}, {"05T09:00", "sign_in", "panel"}, {"05T17:00", "sign_out", "panel"},
		}, []float64{16, 24, 24}, 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			s := agents("ada")
			for _, c := range test.changes {
				fields := []string{"agent", "ada"}
				if c.device != "" {
					fields = append(fields, "device", c.device)
				}
				s.line("2025-03-"+c.at+":00Z", "agent:ada", "agent."+c.verb, fields...)
			}
			c := playsReport(t, s)
			all := c.Get(t, "/v1/reports/agents?from=2025-03-03&to=2025-03-06&by=day&metrics=worktime").Object(t)
			if all["anomalies"] != test.anomalies {
				t.Errorf("%v anomalies, want %v", all["anomalies"], test.anomalies)
			}
			worked := column(c.Report(t, "from=2025-03-03&to=2025-03-06&by=day&metrics=worktime"), "worktime")
			for i, day := range days {
				if worked[day] != test.hours[i]*3600 {
					t.Errorf("%s: %v hours, want %v", day, worked[day]/3600, test.hours[i])
				}
			}
		})
	}
}

// TestSlicesOfPresence is cases 6.5 and 6.6: worktime has no channel and no tag, and in a department is that of its members.
func TestSlicesOfPresence(t *testing.T) {
	t.Parallel()
	d := staff(t)
	d.Must(t, 200, "PUT", "/v1/agents/"+d.id["ada"]+"/departments/"+d.sales, nil)
	d.as["ada"].Must(t, 200, "POST", "/v1/agents/"+d.id["ada"]+"/status/sign-in", map[string]any{"device": "panel"})
	d.as["ada"].Must(t, 200, "POST", "/v1/tickets/"+d.opened(t, "")+"/replies", map[string]any{"body": "Hello"})
	d.as["ada"].Must(t, 200, "POST", "/v1/agents/"+d.id["ada"]+"/status/sign-out", map[string]any{"device": "panel"})
	d.CaughtUp(t)
	of := func(query string) testdesk.ReportRow {
		t.Helper()
		for _, row := range d.Report(t, "from=2020-01-01&to=2100-01-01&by=month&metrics=worktime,answers,answers_ph&agent="+d.id["ada"]+query) {
			return row
		}
		return nil
	}
	if row := of(""); row["worktime"] == nil || row["worktime"] == 0.0 || row["answers_ph"] == nil {
		t.Errorf("of all: %v", row)
	}
	if row := of("&channel=email"); row["worktime"] != nil || row["answers_ph"] != nil || row["answers"] != 1.0 {
		t.Errorf("by channel: %v", row)
	}
	if whole, within := of("")["worktime"], of("&department=" + d.sales)["worktime"]; within == 0.0 || whole != within {
		t.Errorf("in their department %v of %v", within, whole)
	}
	strange := d.Must(t, 201, "POST", "/v1/departments", map[string]any{"name": "Strange"}).ID(t)
	d.CaughtUp(t)
	if row := of("&department=" + strange); row != nil && row["worktime"] != 0.0 {
		t.Errorf("in another department: %v", row)
	}
}

// TestTagsAsTheyWereCalled is case 6.7: the name of a tag means what it meant at the cut-off.
func TestTagsAsTheyWereCalled(t *testing.T) {
	t.Parallel()
	c := testdesk.Serve(t, t.TempDir())
	red := c.Must(t, 201, "POST", "/v1/tags", map[string]any{"scope": "tickets", "name": "red"}).ID(t)
	ticket := c.Must(t, 201, "POST", "/v1/inquiries", map[string]any{"channel": "email", "from": map[string]any{"email": "eve@customers.example"}, "subject": "Help", "body": "It broke."}).ID(t)
	c.Must(t, 200, "PUT", "/v1/tickets/"+ticket+"/tags/"+red, nil)
	c.Must(t, 200, "POST", "/v1/tickets/"+ticket+"/notes", map[string]any{"body": "n"})
	noted := c.Must(t, 200, "POST", "/v1/tickets/"+ticket+"/resolve", nil).Position()
	c.Must(t, 200, "PATCH", "/v1/tags/"+red, map[string]any{"name": "crimson"})
	c.CaughtUp(t)
	query := "/v1/reports/agents?from=2020-01-01&to=2100-01-01&by=month&metrics=resolved_tickets&tag="
	then := c.Get(t, query+"red&known_at="+noted)
	if then.Object(t)["data"].([]any)[0].(map[string]any)["resolved_tickets"] != 1.0 {
		t.Errorf("by the name of then: %s", then.Body)
	}
	c.Refused(t, 422, "tag-unknown", "GET", query+"red", nil)
	c.Refused(t, 422, "tag-unknown", "GET", query+"crimson&known_at="+noted, nil)
	c.Must(t, 201, "POST", "/v1/tags", map[string]any{"scope": "tickets", "name": "red"})
	c.CaughtUp(t)
	if again := c.Get(t, query+"red&known_at="+noted); string(again.Body) != string(then.Body) {
		t.Errorf("once another tag has the name: %s, want %s", again.Body, then.Body)
	}
	if now := c.Get(t, query+"crimson"); len(now.Object(t)["data"].([]any)) != 1 {
		t.Errorf("by the new name: %s", now.Body)
	}
}

// TestLargeReports: a report that is so large that it is kept packed is the same as its parts. Case 5.3.
func TestLargeReports(t *testing.T) {
	t.Parallel()
	c := testdesk.Serve(t, t.TempDir())
	journal := `{"id":"1","at":"2026-01-01T00:00:00Z","by":"system","do":"agent.create","agent":"ann","name":"Ann","email":"ann@desk.example","role":"agent"}` + "\n"
	for day := range 60 {
		from := time.Date(2026, 1, 1+day, 0, 0, 0, 0, time.UTC)
		for what, at := range []time.Time{from, from.Add(23 * time.Hour)} {
			journal += fmt.Sprintf(`{"id":"%d %d","at":"%s","by":"agent:ann","do":"agent.sign_%s","agent":"ann","device":"panel"}`+"\n", day, what, at.Format(time.RFC3339), []string{"in", "out"}[what])
		}
	}
	c.Play(t, []byte(journal))
	c.CaughtUp(t)
	whole := c.Get(t, "/v1/reports/agents?from=2026-01-01&to=2026-03-02&by=hour")
	rows := c.Report(t, "from=2026-01-01&to=2026-03-02&by=hour")
	table := c.Get(t, "/v1/reports/agents.csv?from=2026-01-01&to=2026-03-02&by=hour")
	if lines := strings.Count(string(table.Body), "\n") - 1; len(whole.Body) < 600_000 || len(rows) != 60*23 || lines != len(rows) {
		t.Errorf("%d bytes, %d rows, %d lines", len(whole.Body), len(rows), lines)
	}
	parts := c.Report(t, "from=2026-01-01&to=2026-01-31&by=hour")
	if parts = append(parts, c.Report(t, "from=2026-01-31&to=2026-03-02&by=hour")...); !reflect.DeepEqual(parts, rows) {
		t.Error("the whole is not its parts")
	}
}

// TestSlicesAddUpToTheDesk is case 3.23: what has no agent, department or tag is a slice too.
func TestSlicesAddUpToTheDesk(t *testing.T) {
	t.Parallel()
	d := staff(t)
	d.Must(t, 200, "PUT", "/v1/agents/"+d.id["ada"]+"/departments/"+d.sales, nil)
	red := d.Must(t, 201, "POST", "/v1/tags", map[string]any{"scope": "tickets", "name": "red"}).ID(t)
	for i, department := range []string{"", d.sales, d.support, ""} {
		ticket := d.opened(t, department)
		if i%2 == 0 {
			d.Must(t, 200, "PUT", "/v1/tickets/"+ticket+"/tags/"+red, nil)
		}
		d.as["ada"].Must(t, 200, "POST", "/v1/tickets/"+ticket+"/replies", map[string]any{"body": "Hello"})
		d.Must(t, 200, "POST", "/v1/tickets/"+ticket+"/resolve", nil)
	}
	d.CaughtUp(t)
	sum := func(slice string) (n float64) {
		t.Helper()
		for _, row := range d.Report(t, "from=2020-01-01&to=2100-01-01&by=month&metrics=created_tickets,answers,resolved_tickets"+slice) {
			n += row["created_tickets"].(float64) + row["answers"].(float64) + row["resolved_tickets"].(float64)
		}
		return n
	}
	agents, departments, tags := []string{"none"}, []string{"none"}, []string{"none", "red"}
	for _, a := range d.All(t, "/v1/agents") {
		agents = append(agents, a["id"].(string))
	}
	for _, department := range d.All(t, "/v1/departments") {
		departments = append(departments, department["id"].(string))
	}
	all := sum("")
	for name, values := range map[string][]string{"agent": agents, "department": departments, "tag": tags} {
		var parts float64
		for _, value := range values {
			part := sum("&" + name + "=" + value)
			if parts += part; part == all || value == "none" && part == 0 {
				t.Errorf("%s %s has %v of %v", name, value, part, all)
			}
		}
		if parts != all {
			t.Errorf("by %s there are %v, of %v", name, parts, all)
		}
	}
}
