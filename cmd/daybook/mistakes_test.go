package main

import (
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/uuid"
)

// nothingMade checks that a failed command left nothing behind.
func nothingMade(t *testing.T, folder string) {
	t.Helper()
	if _, err := os.Stat(folder); !os.IsNotExist(err) {
		t.Errorf("%s was made: %v", folder, err)
	}
}

// TestImportOfAnotherFile imports files that are not journals, which must be refused and create nothing. A journal with a
// wrong line is still a journal.
func TestImportOfAnotherFile(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"csv": "name,email\nNora,nora@customers.example\n", "json": "\n\n{\n  \"contacts\": []\n}\n", "another": `{"name":"Nora"}` + "\n", "list": "[]\n", "text": "Dear desk,\n",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			file, folder := filepath.Join(t.TempDir(), name), filepath.Join(t.TempDir(), "desk")
			if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			_, talk, exit := inProcess.Run(t, "import", "--data", folder, file)
			if exit != wrongUsage || !strings.Contains(talk, file) || !strings.Contains(talk, `"do":"department.create"`) || !strings.Contains(talk, "docs/journal.md") {
				t.Errorf("exit %d: %s", exit, talk)
			}
			nothingMade(t, folder)
			nothingMade(t, file+rejectedEnding)
		})
	}
	file, folder := filepath.Join(t.TempDir(), "wrong.ndjson"), t.TempDir()
	if err := os.WriteFile(file, []byte(`{"id":"1","do":"ticket.fly"}`+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, talk, exit := inProcess.Run(t, "import", "--data", folder, file)
	if exit != someRejected || !strings.Contains(talk, file+rejectedEnding) {
		t.Errorf("exit %d: %s", exit, talk)
	}
}

// TestURLs uses --url with servers that do not exist, are not a Daybook, or do not accept the key.
func TestURLs(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	c, _ := inProcess.Serve(t, folder)
	stranger := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "<html>Hello</html>") }))
	defer stranger.Close()
	elsewhere := httptest.NewServer(http.NotFoundHandler())
	defer elsewhere.Close()
	closed := httptest.NewServer(nil)
	closed.Close()
	wrongKey := filepath.Join(t.TempDir(), "wrong.key")
	if err := os.WriteFile(wrongKey, []byte("daybook_wrong_wrong\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		url, keyFile, says string
		exit               int
	}{
		{strings.TrimPrefix(c.URL, "http://"), "", "--url must be a URL such as http://127.0.0.1:8080", wrongUsage},
		{"ftp://desk", "", "--url must be a URL such as http://127.0.0.1:8080", wrongUsage},
		{closed.URL, "", "start it with daybook serve", failed},
		{stranger.URL, "", "is not a Daybook", failed},
		{elsewhere.URL, "", "is not a Daybook", failed},
		{c.URL + "/elsewhere", "", "is not a Daybook", failed},
		{c.URL, wrongKey, "does not accept the API key in " + wrongKey, failed},
		{c.URL, wrongKey + ".not", "give its file with --key-file", failed},
	} {
		args := []string{"--data", folder, "--url", test.url}
		if test.keyFile != "" {
			args = append(args, "--key-file", test.keyFile)
		}
		for _, command := range []string{"verify", "rebuild"} {
			if _, talk, exit := inProcess.Run(t, append([]string{command}, args...)...); exit != test.exit || !strings.Contains(talk, test.says) {
				t.Errorf("%s %v: exit %d, %s; want %s", command, args, exit, talk, test.says)
			}
		}
	}
}

// TestFailedServe serves at an address where it cannot listen. No desk must be created.
func TestFailedServe(t *testing.T) {
	t.Parallel()
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	for _, args := range [][]string{
		{"--listen", taken.Addr().String()}, {"--listen", "nowhere"}, {"--listen", "127.0.0.1:0", "--metrics", taken.Addr().String()},
	} {
		folder := filepath.Join(t.TempDir(), "desk")
		_, talk, exit := inProcess.Run(t, append([]string{"serve", "--data", folder}, args...)...)
		if exit != failed || !strings.Contains(talk, "choose another address with "+args[len(args)-2]) {
			t.Errorf("%v: exit %d, %s", args, exit, talk)
		}
		nothingMade(t, folder)
	}
}

// TestKeysOfAgents creates keys for an agent who exists, and for one who does not.
func TestKeysOfAgents(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	c, _ := inProcess.Serve(t, folder)
	ada := c.Must(t, 201, "POST", "/v1/agents", map[string]any{"name": "N", "email": "n@desk.example", "role": "agent"}).ID(t)
	inProcess.Key(t, folder, "agent", ada)
	list := inProcess.Must(t, 0, "key", "list", "--data", folder)
	if !strings.Contains(list, "AGENT") || !strings.Contains(list, ada) {
		t.Errorf("the list: %s", list)
	}
	for id, want := range map[string]int{uuid.NewString(): notFound, "ada": wrongUsage} {
		_, talk, exit := inProcess.Run(t, "key", "create", "--data", folder, "--name", "N", "--role", "agent", "--agent", id)
		if exit != want || !strings.Contains(talk, "agent") {
			t.Errorf("%s: exit %d, %s", id, exit, talk)
		}
	}
	if again := inProcess.Must(t, 0, "key", "list", "--data", folder); again != list {
		t.Errorf("a key was made: %s", again)
	}
	c.Must(t, 200, "DELETE", "/v1/agents/"+ada, nil)
	inProcess.Must(t, conflict, "key", "create", "--data", folder, "--name", "N", "--role", "agent", "--agent", ada)
}

// TestArgumentsThatAreNoText: an argument that is not UTF-8 is refused, rather than changed. Case 1.4.
func TestArgumentsThatAreNoText(t *testing.T) {
	t.Parallel()
	out, talk, exit := reexec.Run(t, "key", "create", "--data", t.TempDir(), "--role", "owner", "--name", "Andr\xe9")
	if exit != wrongUsage || !strings.Contains(talk, "not UTF-8") {
		t.Errorf("%d, %s, %s", exit, out, talk)
	}
}
