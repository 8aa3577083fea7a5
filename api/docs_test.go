package api_test

import (
	"os/exec"
	"strings"
	"testing"

	"daybook/internal/testdesk"
)

// TestDocsInABrowser opens /docs in Chromium without access to other hosts, and finds the API described there.
func TestDocsInABrowser(t *testing.T) {
	t.Parallel()
	browser := ""
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			browser = path
		}
	}
	if browser == "" {
		testdesk.LeaveOut(t, "the pages in a browser need Chromium")
	}
	desk := testdesk.Serve(t, t.TempDir())
	out, err := exec.CommandContext(t.Context(), browser, "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
		"--disable-background-networking", "--disable-component-update", "--disable-sync", "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
		"--user-data-dir="+t.TempDir(), "--virtual-time-budget=20000", "--dump-dom", desk.URL+"/docs").Output()
	if err != nil {
		t.Fatal(err)
	}
	for _, shown := range []string{"/v1/contacts/{id}/tickets", "Report the performance of agents", "/v1/tickets/{id}/assign"} {
		if !strings.Contains(string(out), shown) {
			t.Errorf("the page does not show %q", shown)
		}
	}
}
