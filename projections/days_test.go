package projections_test

import (
	"cmp"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"
	"pgregory.net/rapid"

	"daybook/domain/agent"
	"daybook/domain/zone"
	"daybook/eventstore"
	"daybook/internal/testlog"
	"daybook/projections"
	"daybook/projections/engine"
	"daybook/readmodels/report"
	"daybook/readmodels/table"
)

// TestDaysAreTheReport compares agent_days, read with SQL, with the report by day: of the desk, of each department and of none, in zones that
// change their clocks, for tickets that are excluded and come back, and presence that is recorded late.
func TestDaysAreTheReport(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		name := rapid.SampledFrom([]string{"UTC", "Europe/Rome", "Pacific/Apia", "America/St_Johns", "Asia/Kathmandu"}).Draw(rt, "zone")
		in, err := zone.Load(name)
		if err != nil {
			rt.Fatal(err)
		}
		// The clocks of some zone change in the four days from each of these.
		begin := rapid.SampledFrom([]time.Time{rotaDay, day(2026, 3, 27), day(2026, 10, 23), day(2011, 12, 28), day(2006, 10, 27)}).Draw(rt, "begin")
		shift, history := drawShift(rt), drawHistory(rt)
		for _, who := range ourAgents { // what has not ended is not in agent_days
			shift = append(shift, duty{who, rotaDays*24*60 - 1, agent.Deleted{}})
		}
		db := folded(rt, t, in, func(yield func(engine.Recorded)) {
			later := begin.Sub(rotaDay)
			move := func(e engine.Recorded) {
				e.At = table.At(e.At.Time().Add(later))
				yield(e)
			}
			shift.events(move)
			history.events(move)
		})
		for _, within := range []*uuid.UUID{nil, &uuid.Nil, &sales, &acme} {
			got, err := report.Agents(t.Context(), db.Readers, report.Query{
				From: begin.AddDate(0, 0, -2), To: begin.AddDate(0, 0, rotaDays+2), Zone: in, By: report.ByDay, Department: (*table.Ref)(within),
				KnownAt: table.Position(len(shift) + len(history)), MaxBuckets: 100,
			})
			if err != nil {
				rt.Fatal(err)
			}
			want := map[string]string{}
			for _, row := range got.Data {
				for v := range row.Values {
					key := fmt.Sprint(uuid.UUID(row.AgentID), " ", row.Bucket, " ", v.Metric)
					switch figure := v.Value.(type) {
					case int:
						want[key] = fmt.Sprint(figure)
					case report.Sample:
						if want[key], want[key+"_n"] = "0", fmt.Sprint(figure.N); figure.N > 0 {
							want[key] = fmt.Sprint(*figure.Sum)
						}
					case float64:
						if !slices.Contains([]string{"answers_ph", "resolved_tickets_ph"}, v.Metric) {
							want[key] = fmt.Sprint(figure)
						}
					}
				}
			}
			rows, odd := daysIn(rt, db, within)
			for key, figure := range rows {
				if figure != cmp.Or(want[key], "0") {
					rt.Errorf("within %v, %s is %s, the report says %s", within, key, figure, want[key])
				}
				delete(want, key)
			}
			for key, figure := range want {
				if figure != "0" {
					rt.Errorf("within %v, %s is missing, the report says %s", within, key, figure)
				}
			}
			if within == nil && odd != got.Anomalies {
				rt.Errorf("%d anomalies, the report says %d", odd, got.Anomalies)
			}
		}
	})
}

func day(y int, m time.Month, d int) time.Time { return time.Date(y, m, d, 0, 0, 0, 0, time.UTC) }

// folded folds events of random entities, each recorded after the one before.
func folded(rt *rapid.T, t *testing.T, in *time.Location, events func(yield func(engine.Recorded))) *table.DB {
	store := testlog.Memory(rt)
	last := map[uuid.UUID]eventstore.Revision{}
	var all []engine.Recorded
	events(func(e engine.Recorded) {
		revision, has := last[e.ID]
		if !has {
			revision = eventstore.NoStream
		}
		done, err := eventstore.AppendTo(t.Context(), store, e.Category+"-"+e.ID.String(), revision, []eventstore.Event{{ID: uuid.New(), Type: e.Event.EventType(), Data: []byte("{}")}})
		if err != nil {
			rt.Fatal(err)
		}
		last[e.ID] = done.Revision
		all = append(all, e)
	})
	source := engine.Source{Store: store, Projections: projections.In(in), Version: projections.VersionIn(in), Decode: func(r eventstore.Recorded) (engine.Recorded, error) {
		e := all[r.Position-1]
		e.EventID, e.Revision, e.Position = r.ID, r.Revision, r.Position
		return e, nil
	}}
	db, err := table.OpenTemporary(t.TempDir())
	if err != nil {
		rt.Fatal(err)
	}
	rt.Cleanup(func() { db.Close() })
	if err := source.Fill(t.Context(), engine.Cut{}, db); err != nil {
		rt.Fatal(err)
	}
	return db
}

// daysIn adds up agent_days over departments, or shows those of one, with the name of each figure's column. Presence of the whole desk is
// in the rows without a department, and in reports it belongs to no tickets.
func daysIn(rt *rapid.T, db *table.DB, within *uuid.UUID) (figures map[string]string, odd int64) {
	rows, err := db.Readers.Queryx("SELECT * FROM agent_days")
	if err != nil {
		rt.Fatal(err)
	}
	defer rows.Close()
	sums := map[string]float64{}
	for rows.Next() {
		row := map[string]any{}
		if err := rows.MapScan(row); err != nil {
			rt.Fatal(err)
		}
		department := row["department_id"]
		odd += row["anomalies"].(int64)
		if within != nil && department != within.String() {
			continue
		}
		for column, value := range row {
			switch column {
			case "agent_id", "department_id", "day", "anomalies":
				continue
			case "worktime", "online_time_tickets", "online_time_chats", "online_time_calls":
				if within == nil && department != uuid.Nil.String() || within != nil && *within == uuid.Nil {
					continue
				}
			}
			key := fmt.Sprint(row["agent_id"], " ", row["day"], " ", column)
			switch v := value.(type) {
			case int64:
				sums[key] += float64(v)
			case float64:
				sums[key] += v
			}
		}
	}
	if err := rows.Err(); err != nil {
		rt.Fatal(err)
	}
	figures = map[string]string{}
	for key, sum := range sums {
		figures[key] = fmt.Sprint(sum)
	}
	return figures, odd
}
