// The tour of the README, with the client that oapi-codegen makes of the contract. A test makes the client: see clients_test.go.
package main

import (
	"context"
	"fmt"
	"log"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/google/uuid"
	openapi_types "github.com/oapi-codegen/runtime/types"
)

func main() {
	if err := tour(context.Background(), os.Getenv("DESK"), os.Getenv("KEY")); err != nil {
		log.Fatal(err)
	}
	fmt.Println("the tour is done")
}

func tour(ctx context.Context, url, key string) error {
	desk, err := NewClientWithResponses(url, WithRequestEditorFn(func(_ context.Context, r *http.Request) error {
		r.Header.Set("Authorization", "Bearer "+key)
		return nil
	}))
	if err != nil {
		return err
	}
	// Find a contact, then list their tickets, newest first.
	q, one := "ada costa", int64(1)
	found, err := desk.ListContactsWithResponse(ctx, &ListContactsParams{Q: &q})
	if err != nil || found.JSON200 == nil || len(found.JSON200.Data) == 0 {
		return fmt.Errorf("finding Ada: %w %s", err, found.Body)
	}
	ada := found.JSON200.Data[0]
	expand := []TicketExpansion{TicketExpansionAgent, TicketExpansionDepartment}
	tickets, err := desk.ListContactTicketsWithResponse(ctx, ada.Id, &ListContactTicketsParams{Limit: &one, Expand: &expand})
	if err != nil || tickets.JSON200 == nil || len(tickets.JSON200.Data) != 1 || tickets.JSON200.Data[0].ContactId != ada.Id {
		return fmt.Errorf("listing the tickets: %w %s", err, tickets.Body)
	}
	// What each agent did, by week.
	zone, by, metrics := "Europe/Rome", Week, []string{"worktime", "answers", "resolved_tickets"}
	from, to := openapi_types.Date{Time: time.Date(2026, 1, 5, 0, 0, 0, 0, time.UTC)}, openapi_types.Date{Time: time.Date(2026, 1, 19, 0, 0, 0, 0, time.UTC)}
	report, err := desk.GetAgentReportWithResponse(ctx, &GetAgentReportParams{From: from, To: to, Tz: &zone, By: &by, Metrics: &metrics})
	if err != nil || report.JSON200 == nil || len(report.JSON200.Data) == 0 {
		return fmt.Errorf("asking for the report: %w %s", err, report.Body)
	}
	table, err := desk.GetAgentReportCSVWithResponse(ctx, &GetAgentReportCSVParams{From: from, To: to, Tz: &zone, By: &by, Metrics: &metrics})
	if err != nil || !strings.HasPrefix(string(table.Body), "bucket,agent_id,agent,worktime") {
		return fmt.Errorf("asking for the table: %w %s", err, table.Body)
	}
	// A change records who made it and why. Sent again with the same key, it is made only once.
	once, reason, language := "go-1", "she asked us to", "en-GB"
	edit := func() (*UpdateContactResponse, error) {
		return desk.UpdateContactWithResponse(ctx, ada.Id, &UpdateContactParams{IdempotencyKey: &once, DaybookReason: &reason}, EditContact{Language: &language})
	}
	if edited, err := edit(); err != nil || edited.JSON200 == nil || edited.JSON200.Language != language {
		return fmt.Errorf("editing: %w %s", err, edited.Body)
	}
	again, err := edit()
	if err != nil || again.HTTPResponse.Header.Get("Idempotent-Replayed") != "true" {
		return fmt.Errorf("editing again: %w %s", err, again.Body)
	}
	// A query waits for a position.
	after := again.HTTPResponse.Header.Get("Daybook-Position")
	timeline, err := desk.ListContactTimelineWithResponse(ctx, ada.Id, &ListContactTimelineParams{Limit: &one, DaybookAfter: &after})
	if err != nil || timeline.JSON200 == nil || timeline.JSON200.Data[0].Reason != reason {
		return fmt.Errorf("reading the timeline: %w %s", err, timeline.Body)
	}
	// The contact as of a day in the past.
	day := "2026-01-18T00:00:00Z"
	then, err := desk.GetContactWithResponse(ctx, ada.Id, &GetContactParams{AsOf: &day})
	if err != nil || then.JSON200 == nil || then.JSON200.Language != "" {
		return fmt.Errorf("reading the past: %w %s", err, then.Body)
	}
	// A refusal has a code.
	none, err := desk.GetTicketWithResponse(ctx, uuid.New(), nil)
	if err != nil || none.ApplicationproblemJSON404 == nil || none.ApplicationproblemJSON404.Code != ProblemCodeTicketUnknown {
		return fmt.Errorf("asking for what is not there: %w %s", err, none.Body)
	}
	return nil
}
