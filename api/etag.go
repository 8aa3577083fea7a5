package api

import (
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"daybook/eventstore"
)

// etag is a revision as an entity tag (RFC 9110, section 8.8.3).
func etag(r eventstore.Revision) string { return strconv.Quote(strconv.FormatInt(int64(r), 10)) }

var (
	oneTag  = regexp.MustCompile(`(?:W/)?"[^"\x00-\x20\x7f]*"`)
	tagList = regexp.MustCompile(`^[ \t,]*` + oneTag.String() + `(?:[ \t]*,[ \t,]*` + oneTag.String() + `)*[ \t,]*$`)
)

// joinTags makes one line of a list of entity tags that came in several.
func joinTags(h http.Header) {
	for _, name := range []string{"If-Match", "If-None-Match"} {
		if lines := h.Values(name); len(lines) > 1 {
			h.Set(name, strings.Join(lines, ", "))
		}
	}
}

// entityTags reads a list of entity tags. A lone * is one of its own, and means any.
func entityTags(field, text string) ([]string, error) {
	if text == "" || strings.TrimSpace(text) == "*" {
		return strings.Fields(text), nil
	}
	if !tagList.MatchString(text) {
		p := parameter(field, "etag-malformed", `%s must be *, or ETags that answers gave, such as "3", with commas between.`, field)
		p.Status, p.Title = http.StatusBadRequest, http.StatusText(http.StatusBadRequest)
		return nil, p
	}
	return oneTag.FindAllString(text, -1), nil
}

// revisions are those that If-Match names; nil: any will do. A weak tag names none, as the RFC has it.
func revisions(ifMatch string) ([]eventstore.Revision, error) {
	tags, err := entityTags("If-Match", ifMatch)
	if err != nil || len(tags) == 0 || tags[0] == "*" {
		return nil, err
	}
	named := []eventstore.Revision{}
	for _, tag := range tags {
		if n, err := strconv.ParseInt(strings.Trim(tag, `"`), 10, 64); err == nil && etag(eventstore.Revision(n)) == tag {
			named = append(named, eventstore.Revision(n))
		}
	}
	return named, nil
}

// unlessSeen answers 304 if If-None-Match names what a thing has, weakly compared.
func unlessSeen(ifNoneMatch, etag, position string) error {
	tags, err := entityTags("If-None-Match", ifNoneMatch)
	if err != nil {
		return err
	}
	if slices.ContainsFunc(tags, func(tag string) bool { return tag == "*" || strings.TrimPrefix(tag, "W/") == etag }) {
		return &Problem{Status: http.StatusNotModified, headers: http.Header{"ETag": {etag}, "Daybook-Position": {position}}}
	}
	return nil
}
