package api

import (
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"daybook/eventstore"
)

// etag returns a revision as an entity tag (RFC 9110, section 8.8.3).
func etag(r eventstore.Revision) string { return strconv.Quote(strconv.FormatInt(int64(r), 10)) }

var (
	oneTag  = regexp.MustCompile(`(?:W/)?"[^"\x00-\x20\x7f]*"`)
	tagList = regexp.MustCompile(`^[ \t,]*` + oneTag.String() + `(?:[ \t]*,[ \t,]*` + oneTag.String() + `)*[ \t,]*$`)
)

// joinLists joins lists that came in several header lines.
func joinLists(h http.Header) {
	for _, name := range []string{"If-Match", "If-None-Match", "Accept", "Prefer"} {
		if lines := h.Values(name); len(lines) > 1 {
			h.Set(name, strings.Join(lines, ", "))
		}
	}
}

// entityTags parses a list of entity tags. A lone * means any, and is returned as such.
func entityTags(field, text string) ([]string, error) {
	if text == "" || strings.TrimSpace(text) == "*" {
		return strings.Fields(text), nil
	}
	if !tagList.MatchString(text) {
		p := parameter(field, "etag-malformed", `%s must be * or a comma-separated list of ETags, such as "3".`, field)
		p.Status = http.StatusBadRequest
		return nil, p
	}
	return oneTag.FindAllString(text, -1), nil
}

// revisions returns the revisions that If-Match names; nil means any. A weak tag matches none, as RFC 9110 requires.
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

// unlessSeen returns a 304 if If-None-Match names the thing's ETag, compared weakly.
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
