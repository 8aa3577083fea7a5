package main

import (
	"database/sql"
	"fmt"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"

	"daybook/internal/testdb"
	"daybook/internal/testdesk"
)

// TestDaysOfAZone reads agent_days with SQL, as dashboards do, and compares them with the report in the zone that serve --zone names.
// With another zone, the program has read models of its own.
func TestDaysOfAZone(t *testing.T) {
	t.Parallel()
	for name, open := range map[string]func(t *testing.T, folder string) (where []string, db *sql.DB, days string){
		"SQLite": func(t *testing.T, folder string) ([]string, *sql.DB, string) {
			return nil, nil, "SELECT agent_id, day AS on_day, %s FROM agent_days"
		},
		"PostgreSQL": func(t *testing.T, _ string) ([]string, *sql.DB, string) {
			u := testdb.URL(t)
			db, err := sql.Open("postgres", u)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { db.Close() })
			return []string{"--read-models", u}, db, "SELECT agent_id, to_char(day, 'YYYY-MM-DD') AS on_day, %s FROM reporting.agent_days"
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			folder := t.TempDir()
			where, db, days := open(t, folder)
			c, stop := reexec.Serve(t, folder, append(where, "--zone", "Pacific/Auckland")...)
			c.Play(t, testdesk.Journal(t))
			counts := []string{"created_tickets", "assigned_tickets", "resolved_tickets", "reopened", "answers", "notes", "transfers_out", "transfers_in", "taken_away"}
			times := []string{"new_answer_time", "next_answer_time", "first_assign_time", "first_resolve_time"}
			want := map[string]string{}
			c.CaughtUp(t)
			for _, row := range c.Report(t, "by=day&tz=Pacific/Auckland&from=2025-01-01&to=2026-01-01") {
				for _, metric := range counts {
					if row[metric] != 0.0 {
						want[fmt.Sprint(row["agent_id"], row["bucket"], metric)] = fmt.Sprint(row[metric])
					}
				}
				for _, metric := range times {
					if sample := row[metric].(map[string]any); sample["n"] != 0.0 {
						want[fmt.Sprint(row["agent_id"], row["bucket"], metric)] = fmt.Sprint(sample["n"], sample["sum"])
					}
				}
			}
			if len(want) < 20 {
				t.Fatalf("the report has only %d figures", len(want))
			}
			if db == nil {
				db = openSQL(t, newest(t, folder))
			}
			columns := slices.Clone(counts)
			for _, metric := range times {
				columns = append(columns, metric+"_n", metric)
			}
			for i, column := range columns {
				columns[i] = "sum(" + column + ") AS " + column
			}
			testdesk.Eventually(t, "agent_days are the report", func() bool {
				got := map[string]string{}
				rows, err := db.Query(fmt.Sprintf(days, strings.Join(columns, ", ")) + " GROUP BY agent_id, on_day")
				if err != nil {
					return false // the view is not there yet
				}
				defer rows.Close()
				for rows.Next() {
					var id uuid.UUID
					var day string
					figures := make([]float64, len(columns))
					to := []any{&id, &day}
					for i := range figures {
						to = append(to, &figures[i])
					}
					if err := rows.Scan(to...); err != nil {
						t.Fatal(err)
					}
					agent := any(id)
					if id == uuid.Nil {
						agent = nil
					}
					for i, metric := range counts {
						if figures[i] != 0 {
							got[fmt.Sprint(agent, day, metric)] = fmt.Sprint(figures[i])
						}
					}
					for i, metric := range times {
						if n, sum := figures[len(counts)+2*i], figures[len(counts)+2*i+1]; n != 0 {
							got[fmt.Sprint(agent, day, metric)] = fmt.Sprint(n, sum)
						}
					}
				}
				return rows.Err() == nil && maps.Equal(got, want)
			})
			if len(where) > 0 {
				documented(t, db)
			}
			stop()
			desk := append([]string{"--data", folder}, where...)
			if out := reexec.Must(t, 0, append([]string{"verify", "--zone", "Pacific/Auckland"}, desk...)...); !strings.Contains(out, "All is well") {
				t.Error(out)
			}
			if out, talk, exit := reexec.Run(t, append([]string{"verify"}, desk...)...); exit != notFound || !strings.Contains(talk, "with days in UTC") {
				t.Errorf("verify in UTC: %d, %s%s", exit, out, talk)
			}
			for _, odd := range []string{"Rome", "Local", "europe/rome", "../zoneinfo/UTC", "+01:00", " ", "UTC\n", "\u202eUTC", strings.Repeat("x", 100_000)} {
				if _, talk, exit := inProcess.Run(t, append([]string{"verify", "--zone", odd}, desk...)...); exit != wrongUsage || !strings.Contains(talk, "Europe/Rome") {
					t.Errorf("%.20q: %d, %.300s", odd, exit, talk)
				}
			}
		})
	}
}

// documented runs the queries of docs/operations.md.
func documented(t *testing.T, db *sql.DB) {
	t.Helper()
	text, err := os.ReadFile("../../docs/operations.md")
	if err != nil {
		t.Fatal(err)
	}
	_, queries, found := strings.Cut(string(text), "```sql\nSELECT")
	queries, _, _ = strings.Cut("SELECT"+queries, "```")
	if !found {
		t.Fatal("docs/operations.md has no queries")
	}
	for query := range strings.SplitSeq(queries, ";") {
		rows := 0
		err := db.QueryRow("SELECT count(*) FROM (" + regexp.MustCompile("--.*").ReplaceAllString(query, "") + ") AS q").Scan(&rows)
		if strings.Contains(query, "SELECT") && (err != nil || rows == 0) {
			t.Errorf("%s: %d rows, %v", query, rows, err)
		}
	}
}
