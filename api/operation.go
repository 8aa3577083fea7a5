package api

import (
	"context"
	"errors"
	"net/http"

	"github.com/danielgtaylor/huma/v2"
	"github.com/google/uuid"

	"daybook/access"
	"daybook/domain/event"
	"daybook/domain/operation"
	"daybook/domain/role"
	"daybook/eventstore"
	"daybook/readmodels"
	"daybook/readmodels/table"
)

const operationsPath = "/v1/operations"

// An OperationState is an operation, with the number of things that are left.
type OperationState struct {
	readmodels.Operation
	Left *int `json:"left,omitempty" doc:"Number of things that are left to process; left out while the read models cannot tell"`
}

// OperationQuery are the parameters of a list of operations.
type OperationQuery struct {
	Listing
	Open bool `query:"open" doc:"Only operations that have not ended"`
}

// plans are the routes of operations.
func (s *server) plans() {
	huma.Register(s.api, describe(route{http.MethodGet, operationsPath, "Operations", "listOperations", "List operations, which are commands that change many things, newest first", role.TicketsRead}), func(ctx context.Context, in *OperationQuery) (*Answered[List[readmodels.Operation]], error) {
		return listing(ctx, s, in.Listing, operationsPath, role.TicketsRead, func(q table.Queryer, p table.Page) (table.Found[readmodels.Operation], error) {
			return readmodels.FindOperations(ctx, q, readmodels.OperationFilter{Open: in.Open}, p)
		})
	})
	huma.Register(s.api, describe(route{http.MethodGet, operationsPath + "/{id}", "Operations", "getOperation", "Get an operation and its progress", role.TicketsRead}), func(ctx context.Context, in *struct {
		Reading
		ID uuid.UUID `path:"id" format:"uuid" doc:"Id of the operation"`
	}) (*Answered[OperationState], error) {
		found := false
		answer, err := read(ctx, s, in.Reading, role.TicketsRead, func(q table.Queryer) (o OperationState, err error) {
			if o.Operation, found, err = table.One[readmodels.Operation](ctx, q, readmodels.OperationsTable, in.ID); err != nil || !found {
				return o, err
			}
			left, err := access.Left(ctx, q, o.Operation)
			o.Left = &left
			return o, err
		})
		if err == nil && !found { // it may be too new for the read models
			answer.StaleBy = ""
			if answer.Body, err = s.operationNow(ctx, in.ID); err != nil {
				return nil, s.refused(ctx, err)
			}
		}
		return answer, err
	})
}

// operationNow returns an operation from its stream, since it may be too new for the read models.
func (s *server) operationNow(ctx context.Context, id uuid.UUID) (o OperationState, err error) {
	folded, err := s.Rows.AsOf(ctx, operation.Stream.Category, id, func(event.Metadata, eventstore.Revision, eventstore.Position) bool { return true })
	if errors.Is(err, table.ErrNoRow) {
		err = operation.Stream.Unknown
	}
	if err != nil {
		return o, err
	}
	o.Operation = folded.Row.(readmodels.Operation)
	err = s.Live.Read(func(db *table.DB) error {
		if db.Reached() < folded.Position { // the command has taken effect, whoever projects it
			return nil
		}
		left, err := access.Left(ctx, db.Readers, o.Operation)
		o.Left = &left
		return err
	})
	if errors.Is(err, table.ErrNotReady) {
		err = nil
	}
	return o, err
}
