package daybook_test

import (
	"crypto/sha256"
	"encoding/hex"
	"os"
	"path/filepath"
	"regexp"
	"runtime/debug"
	"strings"
	"testing"
	"unicode"

	"daybook/api"
	"daybook/domain/catalogue"
	"daybook/journal"
	"daybook/readmodels/report"
)

func text(t *testing.T, patterns ...string) string {
	t.Helper()
	var all strings.Builder
	for _, pattern := range patterns {
		files, err := filepath.Glob(pattern)
		if err != nil || len(files) == 0 {
			t.Fatalf("%s: %d files, %v", pattern, len(files), err)
		}
		for _, file := range files {
			if strings.HasSuffix(file, "_test.go") && strings.HasSuffix(pattern, "/*.go") {
				continue // a pattern for sources
			}
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			all.Write(data)
		}
	}
	return all.String()
}

func TestEveryEventIsInTheCatalogue(t *testing.T) {
	page := text(t, "docs/events.md")
	for _, name := range catalogue.Types() {
		if !strings.Contains(page, "| `"+name+"` |") {
			t.Errorf("docs/events.md needs a row for %s: | `type` | what happened | its fields |", name)
		}
	}
}

func TestEveryMetricIsDefined(t *testing.T) {
	page := text(t, "docs/metrics.md")
	for _, m := range report.Catalogue {
		name := strings.TrimPrefix(m.Name, "online_time")
		if !strings.Contains(page, name+"`") {
			t.Errorf("docs/metrics.md does not define %s", m.Name)
		}
	}
}

// unsaid says why a command has no verb in the journal.
var unsaid = map[string]string{
	"DefineField":          "no source that is imported tells of it yet",
	"EditField":            "no source that is imported tells of it yet",
	"SetContactField":      "no source that is imported tells of it yet",
	"ClearContactField":    "no source that is imported tells of it yet",
	"SetCompanyField":      "no source that is imported tells of it yet",
	"ClearCompanyField":    "no source that is imported tells of it yet",
	"Visit":                "no source that is imported tells of it yet",
	"AcceptOffer":          "no source that is imported tells of it yet",
	"DismissOffer":         "no source that is imported tells of it yet",
	"Identify":             "an inquiry's from says it",
	"DeleteAgent":          "no source that is imported tells of it yet",
	"DeleteCompany":        "no source that is imported tells of it yet",
	"DeleteContact":        "no source that is imported tells of it yet",
	"DeleteDepartment":     "no source that is imported tells of it yet",
	"DeleteGroup":          "no source that is imported tells of it yet",
	"DeleteTag":            "no source that is imported tells of it yet",
	"EditAgent":            "no source that is imported tells of it yet",
	"EditGroup":            "no source that is imported tells of it yet",
	"RenameDepartment":     "no source that is imported tells of it yet",
	"EditTag":              "no source that is imported tells of it yet",
	"RestoreCompany":       "no source that is imported tells of it yet",
	"RestoreContact":       "no source that is imported tells of it yet",
	"SetAgentPicture":      "a picture is no text",
	"RemoveAgentPicture":   "a picture is no text",
	"SetCompanyPicture":    "a picture is no text",
	"RemoveCompanyPicture": "a picture is no text",
	"SetContactPicture":    "a picture is no text",
	"RemoveContactPicture": "a picture is no text",
	"RecordKey":            "keys belong to one desk",
	"RecordRestore":        "backups belong to one desk",
	"RecordLoss":           "keys belong to one desk",
	"RevokeKey":            "keys belong to one desk",
	"Learn":                "a part of Inquiry",
	"CreateGroup":          "a line that names a group makes it",
	"CreateTag":            "a line that names a tag makes it",
	"ReceiveMessage":       "a part of TakeMessage",
	"RecordLines":          "what the import notes of its lines",
}

// unrouted says why a command has no route.
var unrouted = map[string]string{
	"Learn":          "a part of Inquiry",
	"RecordKey":      "the key command creates keys, and the server records that",
	"RecordRestore":  "the server notices it",
	"RecordLoss":     "the vault command accepts it, and the server records that",
	"RevokeKey":      "the key command revokes keys, and the server records that",
	"ReceiveMessage": "a part of TakeMessage",
	"RecordLines":    "what the import notes of its lines",
}

// TestEveryCommandIsReached checks that each command and plan has a permission, a route, a verb in the journal, and a scenario.
func TestEveryCommandIsReached(t *testing.T) {
	scenarios := text(t, "commands/*_test.go")
	routes, verbs := api.Routes(), journal.Verbs()
	decides := regexp.MustCompile(`(?m)^func \((?:\w+ )?(\w+)\) (?:Decide|Carry)\(`).FindAllStringSubmatch(text(t, "commands/*_*.go"), -1)
	permits := text(t, "commands/*_*.go")
	if len(decides) < 40 {
		t.Fatalf("found only %d commands", len(decides))
	}
	for _, found := range decides {
		name := found[1]
		if unicode.IsLower(rune(name[0])) {
			continue // a step of a plan
		}
		if !regexp.MustCompile(`(?m)^func \((?:\w+ )?` + name + `\) Permission\(\) role\.Permission`).MatchString(permits) {
			t.Errorf("commands.%s needs a permission: add a method Permission beside Decide", name)
		}
		if why := unrouted[name]; (len(routes[name]) == 0) != (why != "") {
			t.Errorf("commands.%s: a line such as post[commands.%s](t, \"/path\", \"doThing\", \"Summary\") in the noun's file of api/, or a reason in unrouted here, and not both; its routes are %v", name, name, routes[name])
		}
		if why := unsaid[name]; (len(verbs[name]) == 0) != (why != "") {
			t.Errorf("commands.%s: a line such as \"noun.verb\": command[commands.%s](noun.Stream) in the noun's file of journal/, or a reason in unsaid here, and not both; its verbs are %v", name, name, verbs[name])
		}
		if !strings.Contains(scenarios, "commands."+name) {
			t.Errorf("commands.%s needs a scenario: scenario.On(t, noun.Stream).Given(…).When(commands.%s{}).Then(…) in commands/scenario_*_test.go", name, name)
		}
	}
	page := text(t, "docs/journal.md")
	for _, names := range verbs {
		for _, verb := range names {
			_, short, _ := strings.Cut(verb, ".")
			if !strings.Contains(page, "`"+verb+"`") && !strings.Contains(page, "`"+short+"`") {
				t.Errorf("docs/journal.md needs a line for %s, with its fields", verb)
			}
		}
	}
}

func TestVendoredFilesAreWhatTheyWere(t *testing.T) {
	for line := range strings.Lines(text(t, "api/docs/VENDOR.txt")) {
		want, name, found := strings.Cut(strings.TrimSpace(line), "  ")
		if !found {
			continue
		}
		sum := sha256.Sum256([]byte(text(t, "api/docs/"+name)))
		if hex.EncodeToString(sum[:]) != want {
			t.Errorf("api/docs/%s was changed", name)
		}
	}
	page := text(t, "api/docs/*.html", "api/docs/page.*")
	if regexp.MustCompile(`https?://`).MatchString(page) {
		t.Error("the docs page refers to another host")
	}
}

// TestSQLiteHasItsLibc: the driver works only with the exact libc version that it requires.
func TestSQLiteHasItsLibc(t *testing.T) {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		t.Fatal("no build information")
	}
	for _, m := range info.Deps {
		if m.Path == "modernc.org/libc" && m.Version != "v1.77.1" {
			t.Errorf("modernc.org/libc is %s; modernc.org/sqlite v1.60.1 needs v1.77.1", m.Version)
		}
	}
}

// unsent says why a code is in none of the API's answers.
var unsent = map[string]string{
	"group-exists": "no request and no line says the id of a new group", "tag-exists": "no request and no line says the id of a new tag",
	"granularity-unknown": "the API's schema refuses it first", "limit-out-of-range": "the API's schema refuses it first",
	"field-exists": "a field gets a new id", "field-type-unknown": "the API's schema refuses it first",
	"scope-unknown": "the API's schema refuses it first", "source-malformed": "the API's schema refuses it first",
}

// TestEveryProblemIsListed reads the codes of all refusals in the sources. Case 3.17.
func TestEveryProblemIsListed(t *testing.T) {
	listed := map[string]bool{}
	for _, k := range api.ProblemKinds {
		listed[k.Code] = true
	}
	refusals := regexp.MustCompile(`\b(?:Invalid\([^"\n]*(?:"[^"\n]*", )?|parameter\([^"\n]*(?:"[^"\n]*", )?|(?:Conflict|NotFound|Forbidden|Stale|TooLarge|retryable|problem)\((?:[\w.]+, )?)"([a-z]+(?:-[a-z]+)*)", "`)
	found := map[string]bool{}
	for _, m := range refusals.FindAllStringSubmatch(text(t, "domain/*.go", "domain/*/*.go", "commands/*.go", "commands/work/*.go", "access/*.go", "vault/*.go", "journal/*.go", "readmodels/*.go", "readmodels/*/*.go", "api/*.go", "cmd/daybook/*.go"), -1) {
		found[m[1]] = true
		if why := unsent[m[1]]; listed[m[1]] == (why != "") {
			t.Errorf("%s needs a line in ProblemKinds in api/codes.go, or a reason in unsent here, and not both", m[1])
		}
	}
	if len(found) < 70 {
		t.Errorf("found only %d codes: %v", len(found), found)
	}
}
