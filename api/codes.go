package api

import (
	"encoding/json"
	"html/template"
	"net/http"
)

// A ProblemKind is a kind of problem: what its code means, and what to do.
type ProblemKind struct {
	Code     string `json:"code"`
	Title    string `json:"title"`
	Do       string `json:"do"`
	Statuses []int  `json:"statuses"` // with which it is answered; ofLine for a refused line of an import
}

// ofLine stands for a line of a journal, which has no status of its own.
const ofLine = 0

// ProblemKinds lists all kinds of problems, by code.
var ProblemKinds = []ProblemKind{
	{"actor-malformed", "An actor that cannot be read", "Write system, or KIND:ID.", []int{422, ofLine}},
	{"address-required", "A sender without an address", "Send at least one address of the sender, such as email or phone.", []int{422, ofLine}},
	{"agent-deleted", "An agent who was deleted", "Use another agent, or create a new one: the login is free.", []int{409, ofLine}},
	{"agent-exists", "An agent that is already there", "Give what is new a name of its own in the journal.", []int{ofLine}},
	{"agent-not-in-department", "An agent who does not serve the department", "Add the agent to the department, or transfer the ticket first.", []int{409, ofLine}},
	{"agent-signed-out", "An agent who is not signed in", "Sign the agent in first.", []int{409, ofLine}},
	{"agent-unknown", "No such agent", "Check the id, or create the agent first.", []int{404, 422, ofLine}},
	{"behind", "Read models that must catch up", "Try again after Retry-After.", []int{503}},
	{"body-incomplete", "A body that ended early", "Send the request again, with all of the body.", []int{400}},
	{"body-required", "An empty message", "Write a message.", []int{422, ofLine}},
	{"body-unwanted", "A body that nothing reads", "Send the request without a body.", []int{422}},
	{"building", "Read models that are being built", "Try again after Retry-After.", []int{503}},
	{"cancelled", "A request that was cancelled", "Send it again with the same Idempotency-Key.", []int{408}},
	{"channel-unknown", "No such channel", "Use one of the channels that the problem lists.", []int{422, ofLine}},
	{"colour-malformed", "A colour that cannot be read", "Write it as #rrggbb.", []int{422}},
	{"company-deleted", "A company that was deleted", "Restore the company first.", []int{409, ofLine}},
	{"company-exists", "A company that is already there", "Give what is new a name of its own in the journal.", []int{ofLine}},
	{"company-unknown", "No such company", "Check the id, or create the company first.", []int{404, 422, ofLine}},
	{"contact-deleted", "A contact who was deleted", "Restore the contact first.", []int{409, ofLine}},
	{"contact-exists", "A contact who is already there", "Give what is new a name of its own in the journal.", []int{ofLine}},
	{"contact-unknown", "No such contact", "Check the id, or create the contact first.", []int{404, 422, ofLine}},
	{"content-encoding", "A body that is packed", "Send the body without Content-Encoding. Only a journal may be packed, with gzip.", []int{415}},
	{"country-unknown", "A country that is not known", "Send its two letters (ISO 3166), such as IT.", []int{422, ofLine}},
	{"cursor-malformed", "A cursor of another query", "Use next of an answer to the same query, or start without a cursor.", []int{422}},
	{"customer-id-other", "A contact who has another customer id", "Identify another contact, or name the visitor id that moves.", []int{409}},
	{"date-malformed", "A date that cannot be read", "Write it as 2014-02-01.", []int{422}},
	{"department-deleted", "A department that was deleted", "Use another department, or create a new one.", []int{409, ofLine}},
	{"department-exists", "A department that is already there", "Give what is new a name of its own in the journal.", []int{ofLine}},
	{"department-has-tickets", "A department that still has tickets", "Say with to where they go.", []int{409}},
	{"department-itself", "Tickets that would stay where they are", "Name another department than the one that is deleted.", []int{422}},
	{"department-not-served", "A department that the API key does not serve", "Name a department that it serves, or none.", []int{403, ofLine}},
	{"department-unknown", "No such department", "Check the id, or create the department first.", []int{404, 422, ofLine}},
	{"email-malformed", "An e-mail address that cannot be read", "Send one address, without a name or quotes.", []int{422, ofLine}},
	{"etag-malformed", "An ETag that cannot be read", "Send * or a comma-separated list of ETags.", []int{400}},
	{"event-unknown", "No such event", "Check its stream and its revision.", []int{404}},
	{"field-archived", "A custom field that is archived", "Take it out of the archive, or use another one.", []int{409}},
	{"field-unknown", "No such custom field", "Check the id or the name, or define the field first.", []int{404}},
	{"field-value-malformed", "A value that the custom field cannot hold", "Send what the field's type is.", []int{422}},
	{"format-characters", "A text with invisible characters", "Type the text instead of pasting it.", []int{422, ofLine}},
	{"group-archived", "A group that is archived", "Take it out of the archive, or use another one.", []int{409, ofLine}},
	{"group-unknown", "No such group", "Check the id or the name, or create the group first.", []int{404, 422}},
	{"handle-malformed", "A handle on X that cannot be read", "Use letters from a to z, digits and underscores.", []int{422, ofLine}},
	{"id-malformed", "An id that cannot be read", "Send an id as an answer had it.", []int{422}},
	{"idempotency-key-reused", "An Idempotency-Key of another request", "Use a new key for each new request.", []int{422}},
	{"identity-malformed", "An identity without its kind or value", "Write KIND:VALUE, such as email:nora@example.com.", []int{422}},
	{"instant-in-future", "An instant that has yet to come", "Use an instant up to now.", []int{422}},
	{"instant-malformed", "An instant that cannot be read", "Write it as RFC 3339 does, with a zone.", []int{422}},
	{"internal", "A bug", "Report it with the request's id.", []int{500}},
	{"invalid", "Wrong fields or parameters", "Correct each that errors lists.", []int{422, ofLine}},
	{"journal-damaged", "A journal that cannot be unpacked", "Send a gzip file that is complete, or a plain one.", []int{422}},
	{"journal-too-large", "A journal that is too large once unpacked", "Send it in parts.", []int{413}},
	{"key-missing", "No API key", "Send one in the header Authorization.", []int{401}},
	{"key-unknown", "An API key that is unknown or was revoked", "Check the key, or create a new one.", []int{401}},
	{"keys-missing", "A vault that is older than the log", "Have an operator put the newer vault back.", []int{503}},
	{"language-unknown", "A language that is not known", "Send a BCP 47 tag, such as it or pt-BR.", []int{422, ofLine}},
	{"last-owner", "The desk's only owner", "Make another agent an owner first.", []int{409}},
	{"log-away", "A log that cannot be reached", "Try again after Retry-After.", []int{503}},
	{"log-damaged", "A log that is damaged at this place", "Have an operator restore what daybook verify names.", []int{503}},
	{"malformed", "A body that is not JSON, or a line that is not a journal's", "Send what the documentation shows.", []int{400, ofLine}},
	{"media-type", "A body of another type", "Send JSON in UTF-8; for an import, a journal; for a picture, an image.", []int{415}},
	{"method-not-allowed", "A method that the path does not have", "Use one that the header Allow names.", []int{405}},
	{"metric-unknown", "No such metric", "Use names that /v1/reports/metrics lists.", []int{422}},
	{"name-malformed", "A name that a path could not hold", "Use another name than . and ..", []int{422, ofLine}},
	{"name-required", "A name without anything to see", "Send a name.", []int{422, ofLine}},
	{"newer-program", "An event of a newer version of Daybook", "Upgrade this process, or send the request to a newer one.", []int{503}},
	{"no-such-path", "Nothing at this path", "Check the path: /docs lists all.", []int{404}},
	{"not-an-object", "A body that is no object", "Send one JSON object.", []int{422}},
	{"not-by-contact", "An action that is not a contact's", "Say who did it.", []int{ofLine}},
	{"not-in-department", "An agent who does not serve the department", "Add the agent to it first.", []int{409, ofLine}},
	{"not-posted", "Read models that cannot be projected", "Try again in a moment; /v1/projections shows why.", []int{409}},
	{"not-ready", "A desk that cannot serve", "Send an API key to see why.", []int{503}},
	{"not-yet", "Read models that have not caught up", "Try again in a moment.", []int{409, 503}},
	{"note-exists", "A note that is already there", "Give what is new a name of its own in the journal.", []int{ofLine}},
	{"note-unknown", "No such note", "Check the id. It may have been removed.", []int{404, ofLine}},
	{"offer-closed", "An offer that is open no more", "Read the contact again.", []int{409}},
	{"offer-unknown", "No such offer", "Use the id of an offer that the contact shows.", []int{404}},
	{"operation-unknown", "No such operation", "Check the id.", []int{404}},
	{"parameter-empty", "A parameter without a value", "Leave it out, or give it a value.", []int{422}},
	{"parameter-twice", "A parameter that comes twice", "Give it once.", []int{422}},
	{"parked", "Things whose events could not be projected", "Have an operator look at /v1/projections.", []int{503}},
	{"period-empty", "A period without a day", "Let to be after from.", []int{422}},
	{"period-too-long", "A period with too many buckets", "Ask for a shorter one, or for longer buckets.", []int{422}},
	{"permission-missing", "An API key that may not do this", "Use a key whose role has the permission.", []int{403, ofLine}},
	{"person-forgotten", "A person who was forgotten", "Leave out text about them.", []int{409, ofLine}},
	{"phone-malformed", "A phone number that cannot be read", "Send one number with its country code.", []int{422, ofLine}},
	{"picture-animated", "An animated WebP", "Send an image that does not move.", []int{422}},
	{"picture-destroyed", "A picture that was destroyed", "Get the picture that is there now, or none.", []int{410}},
	{"picture-malformed", "A body that is no image", "Send a PNG, JPEG, GIF or WebP.", []int{422}},
	{"picture-too-many-pixels", "An image with too many pixels", "Send a smaller one.", []int{422}},
	{"picture-unknown", "No picture", "Set one first.", []int{404}},
	{"position-malformed", "A position that cannot be read", "Send the Daybook-Position of an answer.", []int{422}},
	{"position-unknown", "A position after the end of the log", "Check that it comes from this desk.", []int{422}},
	{"posted-elsewhere", "Read models that another process projects", "Send the request to that process.", []int{409}},
	{"priority-unknown", "No such priority", "Use one that the problem lists.", []int{422, ofLine}},
	{"projection-unknown", "No such projection", "Use a name that /v1/projections lists.", []int{404}},
	{"query-malformed", "A query that is not well-formed", "Percent-encode the values of parameters.", []int{400}},
	{"rebuilding", "Read models that are already being rebuilt", "Wait; /v1/projections shows the progress.", []int{409}},
	{"role-unknown", "No such role", "Use one that the problem lists.", []int{422, ofLine}},
	{"service-unknown", "No such service", "Use one that the problem lists.", []int{ofLine}},
	{"sort-unknown", "A list that cannot be sorted so", "Use a column that the problem lists.", []int{422}},
	{"stale", "A thing that has changed since it was read", "Read it again, and repeat the request with the new ETag if it still applies.", []int{412}},
	{"stopping", "A server that is stopping", "Try again after Retry-After.", []int{503}},
	{"stream-malformed", "A stream that cannot be", "Send the name of a stream, such as ticket-ID.", []int{422}},
	{"tag-archived", "A tag that is archived", "Take it out of the archive, or use another one.", []int{409, ofLine}},
	{"tag-unknown", "No such tag", "Check the id or the name, or create the tag first.", []int{404, 422}},
	{"taken", "A name or address that something else has", "Use another one, or change what has it.", []int{409, ofLine}},
	{"text-encoding", "A text that is none", "Send UTF-8 without control characters.", []int{400, 422, ofLine}},
	{"text-not-one-line", "A text with more than one line", "Send one line.", []int{422, ofLine}},
	{"text-too-long", "A text that is too long", "Shorten it to what the problem says.", []int{422, ofLine}},
	{"ticket-closed", "A ticket that is closed", "Do what the problem says first.", []int{409, ofLine}},
	{"ticket-deleted", "A ticket that was deleted", "Restore it first.", []int{409, ofLine}},
	{"ticket-exists", "A ticket that is already there", "Give what is new a name of its own in the journal.", []int{ofLine}},
	{"ticket-resolved", "A ticket that is resolved", "Reopen it first.", []int{409, ofLine}},
	{"ticket-spam", "A ticket that is spam", "Unmark it first.", []int{409, ofLine}},
	{"ticket-unknown", "No such ticket", "Check the id. There may be one that you may not see.", []int{404, 422, ofLine}},
	{"time-zone-unknown", "No such time zone", "Send an IANA time zone, such as Europe/Rome.", []int{422, ofLine}},
	{"too-large", "A body that is too large", "Send less at once.", []int{413}},
	{"too-many", "A list that is too long", "Leave some out.", []int{422, ofLine}},
	{"too-many-devices", "An agent on too many devices", "Sign out on one of them first.", []int{409, ofLine}},
	{"too-many-requests", "Too many requests at once with one API key", "Wait until some have ended.", []int{429}},
	{"too-many-streams", "Too many event streams with one API key", "End some of them first.", []int{429}},
	{"too-many-values", "Too many values of a parameter", "Leave some out.", []int{422}},
	{"too-many-wrong-keys", "Too many wrong API keys from one address", "Check the key, and try again after Retry-After.", []int{429}},
	{"too-slow", "A body that arrived too slowly", "Send the request again.", []int{408}},
	{"type-unknown", "No such type of event", "Use one that docs/events.md lists.", []int{422}},
	{"unavailable", "A request that failed", "Send it again with the same Idempotency-Key.", []int{503}},
	{"url-malformed", "A URL that cannot be read", "Begin it with https:// or http://.", []int{422, ofLine}},
	{"would-merge", "Two contacts who are one person", "Use the contact that the problem names.", []int{409}},
}

func problemCodes() (codes []any) {
	for _, k := range ProblemKinds {
		codes = append(codes, k.Code)
	}
	return codes
}

// titleOf returns the title of problems with a code.
func titleOf(code string, status int) string {
	for _, k := range ProblemKinds {
		if k.Code == code {
			return k.Title
		}
	}
	return http.StatusText(status)
}

var problemsTemplate = template.Must(template.New("").Parse(`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Daybook problems</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="/docs/page.css">
</head>
<body class="problems">
<main>
<h1>Problems</h1>
<p>Every error is a problem (RFC 9457) with one of these codes. Its detail says what is wrong, and its errors say where. A line is one of an import, whose outcome has the code. <a href="/docs">The API</a>; <a href="/docs/problems.json">this list as JSON</a>.</p>
<table>
<thead><tr><th>Code<th>Status<th>What it is<th>What to do</tr></thead>
<tbody>
{{range .}}<tr id="{{.Code}}"><td><code>{{.Code}}</code><td>{{range $i, $s := .Statuses}}{{if $i}}, {{end}}{{if $s}}{{$s}}{{else}}line{{end}}{{end}}<td>{{.Title}}<td>{{.Do}}</tr>
{{end}}</tbody>
</table>
</main>
</body>
</html>
`))

// problemsPage shows the kinds of problems to people, and problemsList to programs.
func problemsPage(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	shut(w)
	_ = problemsTemplate.Execute(w, ProblemKinds) // the caller may have gone away
}

func problemsList(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(List[ProblemKind]{Data: ProblemKinds}) // the caller may have gone away
}
