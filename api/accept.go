package api

import (
	"mime"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"
)

// Accepting is a request whose answer has the form that its Accept header prefers. OpenAPI lists these forms with the answer,
// and not as a parameter.
type Accepting struct{ accept string }

// Resolve implements huma.Resolver.
func (a *Accepting) Resolve(ctx huma.Context) []error {
	a.accept = ctx.Header("Accept")
	return nil
}

// prefers returns the media type that an Accept header wants most, as RFC 9110, section 12.5.1, says: the first of those that
// it wants as much, and the first of all if it wants none.
func prefers(accept string, offered ...string) string {
	best, most := offered[0], 0.0
	for _, offer := range offered {
		if q := quality(accept, offer); q > most {
			best, most = offer, q
		}
	}
	return best
}

// quality returns how much an Accept header wants a media type: what it says of the type itself, or else of its kind, or else
// of all types.
func quality(accept, offer string) float64 {
	kind, _, _ := strings.Cut(offer, "/")
	q, rank := 0.0, 0
	for part := range strings.SplitSeq(accept, ",") {
		media, parameters, err := mime.ParseMediaType(part)
		if err != nil {
			continue
		}
		weight := 1.0
		if text, weighted := parameters["q"]; weighted {
			if weight, err = strconv.ParseFloat(text, 64); err != nil || !(weight >= 0 && weight <= 1) {
				continue
			}
		}
		for i, wants := range []string{"*/*", kind + "/*", offer} {
			if media == wants && i+1 > rank {
				q, rank = weight, i+1
			}
		}
	}
	return q
}
