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

	"daybook/domain/catalogue"
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
			t.Errorf("docs/events.md does not tell of %s", name)
		}
	}
}

func TestEveryMetricIsDefined(t *testing.T) {
	page := text(t, "docs/metrics.md")
	for _, m := range report.Catalogue {
		name := strings.TrimPrefix(string(m.Name), "online_time")
		if !strings.Contains(page, name+"`") {
			t.Errorf("docs/metrics.md does not define %s", m.Name)
		}
	}
}

// TestEveryCommandIsReached finds for each command its route and its scenario.
func TestEveryCommandIsReached(t *testing.T) {
	routes, scenarios := text(t, "api/*.go"), text(t, "commands/scenario_*_test.go")
	names := regexp.MustCompile(`(?m)^func \((?:\w+ )?(\w+)\) Permission\(\)`).FindAllStringSubmatch(text(t, "commands/[a-z]*.go"), -1)
	if len(names) < 40 {
		t.Fatalf("only %d commands were found", len(names))
	}
	for _, name := range names {
		used := "commands." + name[1]
		if !strings.Contains(routes, used) && name[1] != "RecordLines" { // which only an import asks for
			t.Errorf("%s has no route", used)
		}
		if !strings.Contains(scenarios, used) {
			t.Errorf("%s has no scenario", used)
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
		t.Error("the page of the docs names another host")
	}
}

// TestSQLiteHasItsLibc: the driver works only with the very libc that it names.
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
