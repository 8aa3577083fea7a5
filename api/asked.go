package api

import (
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"daybook/domain/text"
)

// parameters refuses a request whose path, query or headers are not clear: a query that is not well-formed, and a parameter
// that is empty, that is no text, that has too many values, or that comes twice and is no list. From here on, a list is one
// value with commas, unless it is of names, which may have commas.
func (s *server) parameters(ctx huma.Context, next func(huma.Context)) {
	request, _ := humago.Unwrap(ctx)
	asked, err := url.ParseQuery(request.URL.RawQuery)
	if err != nil {
		s.fail(ctx, problem(http.StatusBadRequest, "query-malformed", "The query is not well-formed: a % must be followed by two hexadecimal digits, parameters are separated by &, and there may be at most 10000. Percent-encode the values of parameters."))
		return
	}
	var wrong []ProblemField
	for _, p := range ctx.Operation().Parameters {
		var values []string
		switch p.In {
		case "path":
			values = []string{ctx.Param(p.Name)}
		case "header":
			values = request.Header.Values(p.Name)
		case "query":
			values = asked[p.Name]
		}
		if code, says := s.unclear(p, values); code != "" {
			wrong = append(wrong, ProblemField{Parameter: p.Name, Code: code, Detail: p.Name + " " + says + "."})
		} else if p.In == "query" && p.Schema.Type == huma.TypeArray && !*p.Explode && len(values) > 1 {
			asked.Set(p.Name, strings.Join(values, ","))
		}
	}
	for _, name := range []string{"Authorization", "Content-Type"} { // of which a proxy may heed the one, and this the other
		if len(request.Header.Values(name)) > 1 {
			wrong = append(wrong, ProblemField{Parameter: name, Code: "parameter-twice", Detail: name + " may be given only once."})
		}
	}
	switch {
	case len(wrong) > 0:
		s.fail(ctx, ofFields(wrong))
	case !unpacked(ctx.Operation(), request.Header.Values("Content-Encoding")):
		s.fail(ctx, problem(http.StatusUnsupportedMediaType, "content-encoding", "Send the body without Content-Encoding. Only a journal may be packed, with gzip."))
	case request.Method != http.MethodGet && request.Header.Get("If-Match") != "" && !takes(ctx.Operation(), "header", "If-Match"):
		s.fail(ctx, problem(http.StatusPreconditionFailed, "stale", "This request is not about a thing that is there, so that it cannot have the revision that If-Match names. Leave out If-Match."))
	case !inUTF8(ctx.Operation(), request.Header.Get("Content-Type")):
		s.fail(ctx, problem(http.StatusUnsupportedMediaType, "media-type", "Send the body in UTF-8, and leave charset out of Content-Type or set it to utf-8."))
	default:
		request.URL.RawQuery = asked.Encode() // one encoding for all who parse it
		next(ctx)
	}
}

// takes reports whether an operation has a parameter.
func takes(op *huma.Operation, in, name string) bool {
	return slices.ContainsFunc(op.Parameters, func(p *huma.Param) bool { return p.In == in && p.Name == name })
}

// unclear returns what is wrong with the values of a parameter, with a code; both empty: nothing.
func (s *server) unclear(p *huma.Param, values []string) (code, says string) {
	list := p.In == "query" && p.Schema.Type == huma.TypeArray
	if list && !*p.Explode && len(values) > 0 {
		values = strings.Split(strings.Join(values, ","), ",")
	}
	switch {
	case list && len(values) > s.Limits.Values:
		return "too-many-values", fmt.Sprintf("may have at most %d values", s.Limits.Values)
	case !list && len(values) > 1:
		return "parameter-twice", "may be given only once"
	}
	for _, value := range values {
		if err := text.Check(value); err != nil {
			return "text-encoding", err.Error()
		}
		if value == "" && p.In != "path" {
			return "parameter-empty", "must have a value: leave it out if you do not want it"
		}
		switch n, err := strconv.ParseInt(value, 10, 64); {
		case p.Schema.Type == huma.TypeBoolean && value != "true" && value != "false":
			return "invalid", "must be true or false"
		case p.Schema.Type == huma.TypeInteger && err == nil && value != strconv.FormatInt(n, 10): // other readers may not take it
			return "invalid", "must be a whole number in plain digits, such as 10"
		}
	}
	return "", ""
}

// unpacked reports whether a body is not packed in a way that is not unpacked here. A journal shows itself whether it is packed.
func unpacked(op *huma.Operation, encodings []string) bool {
	packed := strings.ToLower(strings.Join(encodings, ","))
	return op.RequestBody == nil || packed == "" || packed == "identity" || packed == "gzip" && op.Path == importPath
}

// inUTF8 reports whether a body has no other encoding than UTF-8, by its Content-Type.
func inUTF8(op *huma.Operation, contentType string) bool {
	if op.RequestBody == nil || contentType == "" {
		return true
	}
	_, parameters, err := mime.ParseMediaType(contentType)
	charset := strings.ToLower(parameters["charset"])
	return err == nil && (charset == "" || charset == "utf-8" || charset == "utf8")
}

// body limits the body of a request, waits for it unless it is a journal, and refuses one that nothing reads.
func (s *server) body(ctx huma.Context, next func(huma.Context)) {
	request, writer := humago.Unwrap(ctx)
	switch {
	case ctx.Operation().Path == importPath:
		request.Body = http.MaxBytesReader(writer, request.Body, s.Limits.Journal)
		next(ctx)
		return
	case ctx.Operation().RequestBody != nil:
		most := s.Limits.Body
		if own, has := ctx.Operation().Metadata[largest].(int64); has {
			most = own
		}
		body, err := arrived(http.MaxBytesReader(writer, request.Body, most))
		if err != nil {
			s.fail(ctx, incomplete(err))
			return
		}
		request.Body = io.NopCloser(body)
		next(ctx)
		return
	}
	some := request.ContentLength > 0
	if request.ContentLength < 0 { // not known yet
		n, err := io.ReadFull(request.Body, make([]byte, 1))
		if some = n > 0; !some && err != io.EOF {
			s.fail(ctx, incomplete(err))
			return
		}
	}
	if some {
		s.fail(ctx, problem(http.StatusUnprocessableEntity, "body-unwanted", "This request takes no body: everything that it says is in its path, its query and its headers. Send it without a body."))
		return
	}
	next(ctx)
}

// arrived returns a body once it has arrived. Until then it costs little more than the bytes that are there.
func arrived(body io.Reader) (io.Reader, error) {
	var pieces net.Buffers
	for free := []byte(nil); ; {
		if len(free) == 0 {
			free = make([]byte, 16<<10)
			pieces = append(pieces, free[:0])
		}
		n, err := body.Read(free)
		last := &pieces[len(pieces)-1]
		*last, free = (*last)[:len(*last)+n], free[n:]
		switch {
		case err == io.EOF:
			return &pieces, nil
		case err != nil:
			return nil, err
		}
	}
}
