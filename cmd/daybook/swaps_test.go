package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"daybook/internal/testdesk"
)

// TestSwaps puts an older log, read models or vault into a data folder, or another desk's, or none. It is refused with a sentence
// that says what to do, or it comes right by itself.
func TestSwaps(t *testing.T) {
	t.Parallel()
	makes := func(names ...string) (folder string, copies []string) {
		folder = t.TempDir()
		for _, name := range names {
			c, stop := inProcess.Serve(t, folder)
			c.Must(t, 201, "POST", "/v1/contacts", map[string]any{"name": name, "emails": []string{strings.ToLower(name) + "@customers.example"}})
			c.CaughtUp(t)
			stop()
			at := t.TempDir()
			if err := os.CopyFS(at, os.DirFS(folder)); err != nil {
				t.Fatal(err)
			}
			copies = append(copies, at)
		}
		return folder, copies
	}
	_, own := makes("Nora", "Eve")
	_, others := makes("Dan")
	older, newer, other := own[0], own[1], others[0]
	theLog, readModels, theVault := []string{"events.db*"}, []string{"readmodels-*"}, []string{"vault.db*"}

	for name, test := range map[string]struct {
		files []string
		from  string // empty: they are gone
		says  string // what serve says when it refuses
		ready string // what /readyz says when it serves and is not ready
		warns string // what /readyz warns of
	}{
		"an older log":                       {files: theLog, from: older, ready: "restore the whole log, or move that file away"},
		"another log":                        {files: theLog, from: other, says: "restore both from one backup"},
		"no log":                             {files: theLog, says: "check that its disk is mounted, or restore it"},
		"older read models":                  {files: readModels, from: older},
		"another's":                          {files: readModels, from: other, ready: "give the right data folder, or move that file away"},
		"no read models":                     {files: readModels},
		"an older vault":                     {files: theVault, from: older, says: "daybook vault accept-loss"}, // which lacks Eve's key
		"another vault":                      {files: append([]string{"vault.key"}, theVault...), from: other, says: "restore both from one backup"},
		"another's vault":                    {files: theVault, from: other, says: "belongs to another vault"},
		"no vault":                           {files: theVault, says: "the vault of this desk is missing"},
		"another master key":                 {files: []string{"vault.key"}, from: other, says: "belongs to another vault"},
		"no master key":                      {files: []string{"vault.key"}, says: "put it back from the backup"},
		"an older log, alone":                {files: append([]string{"readmodels-*"}, theLog...), from: older, warns: "The log was restored from an older backup"},
		"an older whole":                     {files: append(append([]string{"readmodels-*"}, theLog...), theVault...), from: older},
		"an index of another":                {files: []string{"events.db.index*"}, from: other},
		"an older index":                     {files: []string{"events.db.index*"}, from: older},
		"no index":                           {files: []string{"events.db.index*"}},
		"a log without its index, and older": {files: []string{"events.db"}, from: older, ready: "restore the whole log"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			folder := t.TempDir()
			if err := os.CopyFS(folder, os.DirFS(newer)); err != nil {
				t.Fatal(err)
			}
			for _, pattern := range test.files {
				replace(t, folder, test.from, pattern)
			}
			if test.says != "" {
				if _, talk, exit := inProcess.Run(t, "serve", "--data", folder, "--listen", "127.0.0.1:0"); exit == 0 || !strings.Contains(talk, test.says) {
					t.Errorf("exit %d: %s", exit, talk)
				}
				return
			}
			c, stop := inProcess.Serve(t, folder)
			var said string
			testdesk.Eventually(t, "/readyz says what it should", func() bool {
				a := c.Do(t, "GET", "/readyz", nil)
				said = string(a.Body)
				return (a.Status == 503) == (test.ready != "") && strings.Contains(said, test.ready) && strings.Contains(said, test.warns)
			})
			if test.ready != "" {
				stop()
				return
			}
			c.CaughtUp(t)
			if told := c.All(t, "/v1/events?type=log-restored"); (len(told) == 1) != (test.warns != "") {
				t.Errorf("the trail tells of %d restores", len(told))
			}
			c.Must(t, 201, "POST", "/v1/contacts", map[string]any{"name": "Since"})
			c.CaughtUp(t)
			stop()
			if v := verified(t, inProcess, folder, 0); v.Verdict != "well" {
				t.Errorf("%+v", v)
			}
		})
	}
}

// TestRevokedStaysRevoked puts a vault beside the log in which a key is not revoked yet: it is revoked again.
func TestRevokedStaysRevoked(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	c, stop := inProcess.Serve(t, folder)
	token := strings.TrimSpace(inProcess.Must(t, 0, "key", "create", "--name", "panel", "--role", "auditor", "--data", folder))
	id, _, _ := strings.Cut(strings.TrimPrefix(token, "daybook_"), "_")
	testdesk.Eventually(t, "the key is in the trail", func() bool { return len(c.All(t, "/v1/events?type=key-created")) == 2 })
	stop()
	older := t.TempDir()
	if err := os.CopyFS(older, os.DirFS(folder)); err != nil {
		t.Fatal(err)
	}
	c, stop = inProcess.Serve(t, folder)
	c.Must(t, 200, "GET", "/v1/me", nil, testdesk.Header("Authorization", "Bearer "+token))
	inProcess.Must(t, 0, "key", "revoke", id, "--data", folder)
	testdesk.Eventually(t, "that is in the trail", func() bool { return len(c.All(t, "/v1/events?type=key-revoked")) == 1 })
	stop()
	replace(t, folder, older, "vault.db*")
	c, stop = inProcess.Serve(t, folder)
	defer stop()
	c.Refused(t, 401, "key-unknown", "GET", "/v1/me", nil, testdesk.Header("Authorization", "Bearer "+token))
	if told := c.All(t, "/v1/events?type=key-revoked"); len(told) != 1 {
		t.Errorf("the trail tells of %d revocations", len(told))
	}
}

// replace replaces the files of a pattern by those of another folder, or removes them if that is "".
func replace(t *testing.T, folder, from, pattern string) {
	t.Helper()
	there, err := filepath.Glob(filepath.Join(folder, pattern))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range there {
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
	}
	if from == "" {
		return
	}
	put, err := filepath.Glob(filepath.Join(from, pattern))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range put {
		copyFile(t, path, filepath.Join(folder, filepath.Base(path)))
	}
}
