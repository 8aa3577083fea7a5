package api

import (
	"reflect"

	"github.com/danielgtaylor/huma/v2"

	"daybook/domain/tag"
	"daybook/domain/ticket"
	"daybook/readmodels"
	"daybook/readmodels/report"
)

// enums are the types with few values, which the OpenAPI document lists. They are shown by types of their own, since it is
// types that make schemas.
var enums = []enum{
	enumOf(ticket.Channels), enumOf(ticket.Priorities), enumOf(ticket.Statuses), enumOf(tag.Scopes), enumOf(readmodels.AgentStatuses), enumOf(report.Granularities), enumOf(Verdicts),
}

type enum struct{ of, shown reflect.Type }

// values are those of each type, by the type that shows it.
var values = make(map[reflect.Type][]any)

func enumOf[T ~string](all []T) enum {
	e := enum{reflect.TypeFor[T](), reflect.TypeFor[oneOf[T]]()}
	for _, v := range all {
		values[e.shown] = append(values[e.shown], string(v))
	}
	return e
}

// oneOf shows a T.
type oneOf[T ~string] struct{}

// Schema implements huma.SchemaProvider.
func (oneOf[T]) Schema(huma.Registry) *huma.Schema {
	s := &huma.Schema{Type: huma.TypeString, Enum: values[reflect.TypeFor[oneOf[T]]()]}
	s.PrecomputeMessages()
	return s
}
