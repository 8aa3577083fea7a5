package api

import (
	"reflect"
	"slices"

	"github.com/danielgtaylor/huma/v2"

	"daybook/domain/contact"
	"daybook/domain/field"
	"daybook/domain/role"
	"daybook/domain/tag"
	"daybook/domain/ticket"
	"daybook/readmodels"
	"daybook/readmodels/report"
)

// enums are the types with few values, which the OpenAPI document lists. They are shown by types of their own, since it is
// types that make schemas.
var enums = []enum{
	enumOf(contact.AddressKinds), enumOf(contact.Types), enumOf(ticket.Channels), enumOf(ticket.Priorities), enumOf(ticket.Statuses), enumOf(tag.Scopes), enumOf(field.Scopes), enumOf(field.Types), enumOf(readmodels.AgentStatuses), enumOf(report.Granularities), enumOf(Verdicts),
}

type enum struct{ of, shown reflect.Type }

// values are those of each type, by the type that shows it.
var values = make(map[reflect.Type][]any)

func enumOf[T ~string](all []T) enum {
	e := enum{reflect.TypeFor[T](), reflect.TypeFor[oneOf[T]]()}
	values[e.shown] = anyOf(all)
	return e
}

func anyOf[T ~string](all []T) (values []any) {
	for _, v := range all {
		values = append(values, string(v))
	}
	return values
}

// oneOf shows a T.
type oneOf[T ~string] struct{}

// Schema implements huma.SchemaProvider.
func (oneOf[T]) Schema(huma.Registry) *huma.Schema {
	s := &huma.Schema{Type: huma.TypeString, Enum: values[reflect.TypeFor[oneOf[T]]()]}
	s.PrecomputeMessages()
	return s
}

// namedEnums are the values that the document lists, each under one name wherever they are used.
var namedEnums = []namedEnum{
	{"ContactType", "How well a contact is known.", anyOf(contact.Types)},
	{"IdentityKind", "By what a contact is recognised.", anyOf(contact.AddressKinds)},
	{"Channel", "Where a message came in.", anyOf(ticket.Channels)},
	{"Priority", "How urgent a ticket is.", anyOf(ticket.Priorities)},
	{"TicketStatus", "What a ticket waits for, or how it ended.", anyOf(ticket.Statuses)},
	{"TagScope", "What a tag is for.", anyOf(tag.Scopes)},
	{"FieldScope", "What has a custom field.", anyOf(field.Scopes)},
	{"FieldType", "What a custom field can hold.", anyOf(field.Types)},
	{"AgentStatus", "Whether an agent is at work.", anyOf(readmodels.AgentStatuses)},
	{"AgentRole", "What an agent may do.", anyOf(role.AgentRoles)},
	{"Bucket", "The length of a bucket of a report.", anyOf(report.Granularities)},
	{"Verdict", "The result of a verification.", anyOf(Verdicts)},
	{"EventOrder", "The order of the audit trail: that of the log, or the newest first.", anyOf([]string{"position", "-position"})},
	{"TicketExpansion", "A thing that a ticket refers to.", anyOf([]string{"contact", "agent", "department", "tags"})},
	{"ContactExpansion", "A thing that a contact refers to.", anyOf([]string{"company", "tags", "groups"})},
	{"CompanyExpansion", "A thing that a company refers to.", anyOf([]string{"groups"})},
	{"PictureSize", "How large a picture is, in pixels along each side.", anyOf([]string{"512", "64"})},
	{"ProblemCode", "What kind of problem it is. /docs/problems lists them, and there may be more in later versions.", problemCodes()},
}

type namedEnum struct {
	name, about string
	values      []any
}

// nameOf returns the name of the enum that has these values, whatever their order and whether null is one; empty: it has none.
func nameOf(values []any) string {
	for _, n := range namedEnums {
		if !slices.ContainsFunc(values, func(v any) bool { return v != nil && !slices.Contains(n.values, v) }) &&
			!slices.ContainsFunc(n.values, func(v any) bool { return !slices.Contains(values, v) }) {
			return n.name
		}
	}
	return ""
}
