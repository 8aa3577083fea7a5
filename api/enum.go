package api

import (
	"reflect"

	"github.com/danielgtaylor/huma/v2"

	"daybook/domain/tag"
	"daybook/domain/ticket"
	"daybook/readmodels"
	"daybook/readmodels/report"
)

// enums lists the types with a fixed set of values, which the OpenAPI document shows as enums.
var enums = []enum{
	enumOf[ticket.Channel](), enumOf[ticket.Priority](), enumOf[ticket.Status](), enumOf[tag.Scope](), enumOf[readmodels.AgentStatus](), enumOf[report.Granularity](),
}

// values returns all values of such a type.
func values[T ~string]() any {
	switch any(*new(T)).(type) {
	case ticket.Channel:
		return ticket.Channels
	case ticket.Priority:
		return ticket.Priorities
	case ticket.Status:
		return ticket.Statuses
	case tag.Scope:
		return tag.Scopes
	case readmodels.AgentStatus:
		return readmodels.AgentStatuses
	}
	return report.Granularities
}

type enum struct{ of, shown reflect.Type }

func enumOf[T ~string]() enum { return enum{reflect.TypeFor[T](), reflect.TypeFor[oneOf[T]]()} }

// oneOf replaces a T in the OpenAPI document.
type oneOf[T ~string] struct{}

// Schema lists the values.
func (oneOf[T]) Schema(huma.Registry) *huma.Schema {
	s := &huma.Schema{Type: huma.TypeString}
	for _, v := range values[T]().([]T) {
		s.Enum = append(s.Enum, string(v))
	}
	s.PrecomputeMessages()
	return s
}
