package projections

import (
	"time"

	"github.com/google/uuid"

	"daybook/domain/agent"
	"daybook/domain/ticket"
	"daybook/projections/engine"
	"daybook/readmodels/report"
	"daybook/readmodels/table"
)

// AgentReports maintains the facts that agent reports are computed from: agent_activity has what agents did with tickets, agent_presence
// when they worked; and agent_days, what comes of both on each day of a time zone.
func AgentReports(zone *time.Location) engine.Projection {
	return engine.Projection{Name: "agent_reports", Bind: func(l *engine.Ledger) func(*engine.Recorded) {
		days := &daily{engine.NewSums[report.DayKey, report.AgentDay](l, report.DaysTable), report.CalendarOf(zone)}
		activity, presence := postActivity(l, days), keepPresence(l, days)
		return func(e *engine.Recorded) {
			switch ev := e.Event.(type) {
			case ticket.Event:
				activity(e, ev)
			case agent.Event:
				presence(e, ev)
			}
		}
	}}
}

// daily has what agents did on each day.
type daily struct {
	rows     *engine.Sums[report.DayKey, report.AgentDay]
	calendar *report.Calendar
}

// last adds a span n times to the days in which it lies.
func (d *daily) last(id uuid.UUID, s report.Span, n int) {
	of := func(day table.Date) *report.AgentDay {
		return d.rows.Of(report.DayKey{AgentID: table.Ref(id), DepartmentID: s.DepartmentID, Day: day})
	}
	if s.Kind == report.Odd.Number {
		day, _ := d.calendar.Day(s.Start)
		of(day).Anomalies += int64(n)
		return
	}
	for start := s.Start; start < s.End && n != 0; {
		day, end := d.calendar.Day(start)
		end = min(end, s.End)
		of(day).Last(s.Kind, table.Seconds(end-start)*table.Seconds(n))
		start = end
	}
}
