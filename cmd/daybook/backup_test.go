package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"daybook/eventstore"
	"daybook/internal/testdesk"
)

// TestBackup backs up a desk under load, and restores it elsewhere: it is all well, and everything is there that was answered before
// the position that the backup has.
func TestBackup(t *testing.T) {
	t.Parallel()
	work := t.TempDir()
	data, file, elsewhere := filepath.Join(work, "data"), filepath.Join(work, "desk.tar"), filepath.Join(work, "elsewhere")
	settings := filepath.Join(work, "settings.yaml")
	if err := os.WriteFile(settings, []byte("region: IT\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	c, stop := reexec.Serve(t, data)
	picture := "/v1/contacts/" + c.Must(t, 201, http.MethodPost, "/v1/contacts", map[string]any{"name": "Nora"}).ID(t) + "/avatar"
	c.Must(t, 200, http.MethodPut, picture, testdesk.Image(onePixel))
	shown := c.Get(t, picture, testdesk.Header("Daybook-After", "0")).Body
	var mu sync.Mutex
	answered := map[string]eventstore.Position{}
	enough := make(chan struct{})
	var load sync.WaitGroup
	for writer := range 8 {
		load.Go(func() {
			for i := 0; ; i++ {
				select {
				case <-enough:
					return
				default:
				}
				a := c.Must(t, 201, http.MethodPost, "/v1/contacts", map[string]any{"name": fmt.Sprint(writer, "-", i), "emails": []string{fmt.Sprintf("c%d-%d@customers.example", writer, i)}})
				at, err := strconv.ParseUint(a.Header.Get("Daybook-Position"), 10, 64)
				if err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				answered[a.ID(t)] = eventstore.Position(at)
				mu.Unlock()
			}
		})
	}
	testdesk.Eventually(t, "there is load", func() bool { mu.Lock(); defer mu.Unlock(); return len(answered) > 200 })
	out := reexec.Must(t, 0, "backup", file, "--data", data, "--config", settings)
	close(enough)
	load.Wait()
	stop()
	if left, err := filepath.Glob(filepath.Join(work, ".daybook-temporary-*")); err != nil || len(left) > 0 {
		t.Errorf("left: %v, %v", left, err)
	}

	m, err := unpack(file, t.TempDir())
	if err != nil || m.Log == nil || !strings.Contains(out, m.Log.Position.String()) {
		t.Fatalf("%+v, %v; it says %s", m, err, out)
	}
	for _, f := range m.Files {
		if f.Name == "vault.key" {
			t.Error("it has the master key")
		}
	}
	out = reexec.Must(t, 0, "restore", file, "--data", elsewhere)
	if !strings.Contains(out, "vault.key") {
		t.Errorf("it says %s", out)
	}
	if _, talk, exit := reexec.Run(t, "serve", "--data", elsewhere, "--listen", "127.0.0.1:0"); exit == 0 || !strings.Contains(talk, "master key") {
		t.Errorf("without the master key: exit %d, %s", exit, talk)
	}
	copyKeys(t, data, elsewhere)
	c, stop = reexec.Serve(t, elsewhere)
	c.CaughtUp(t)
	if again := c.Get(t, picture).Body; !bytes.Equal(again, shown) {
		t.Errorf("the picture has %d bytes, and had %d", len(again), len(shown))
	}
	before := 0
	for id, at := range answered {
		if at <= m.Log.Position {
			before++
			c.Get(t, "/v1/contacts/"+id)
		}
	}
	stop()
	if before == 0 || before == len(answered) {
		t.Errorf("%d of %d were answered before the backup", before, len(answered))
	}
	if v := verified(t, reexec, elsewhere, 0); v.Verdict != "well" {
		t.Errorf("%+v", v)
	}
}

// copyKeys copies the master key and the owner's key, which are kept apart from a backup.
func copyKeys(t *testing.T, from, to string) {
	t.Helper()
	for _, name := range []string{"vault.key", "owner.key"} {
		key, err := os.ReadFile(filepath.Join(from, name))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(to, name), key, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// TestBackupRefuses backs up what is damaged, and restores what is.
func TestBackupRefuses(t *testing.T) {
	t.Parallel()
	work := t.TempDir()
	data, file := filepath.Join(work, "data"), filepath.Join(work, "desk.tar")
	c, stop := inProcess.Serve(t, data)
	for i := range 60 {
		c.Must(t, 201, "POST", "/v1/contacts", map[string]any{"name": fmt.Sprint("Contact ", i)})
	}
	stop()
	inProcess.Must(t, 0, "backup", file, "--data", data)
	refused := func(exit int, says string, args ...string) {
		t.Helper()
		if _, talk, got := inProcess.Run(t, args...); got != exit || !strings.Contains(talk, says) {
			t.Errorf("%v: exit %d, %s, want %d and %q", args, got, talk, exit, says)
		}
	}
	refused(conflict, "new file", "backup", file, "--data", data)
	refused(conflict, "is not empty", "restore", file, "--data", data)
	refused(notFound, "no desk", "backup", filepath.Join(work, "none.tar"), "--data", filepath.Join(work, "none"))

	whole, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var m manifest
	if err := json.Unmarshal(whole[512:512+strings.IndexByte(string(whole[512:]), 0)], &m); err != nil || m.Log == nil {
		t.Fatal(err)
	}
	for name, damage := range map[string]func() []byte{
		"cut":       func() []byte { return whole[:len(whole)/2] },
		"no backup": func() []byte { return []byte("no backup") },
		"empty":     func() []byte { return nil },
		"a byte differs": func() []byte {
			other := append([]byte{}, whole...)
			other[len(other)/2] ^= 1
			return other
		},
		"another end": func() []byte {
			at := fmt.Sprintf(`"position": %d`, m.Log.Position)
			return []byte(strings.Replace(string(whole), at, fmt.Sprintf(`"position": %d`, m.Log.Position-1), 1))
		},
	} {
		t.Run(name, func(t *testing.T) {
			path, to := filepath.Join(t.TempDir(), "desk.tar"), filepath.Join(t.TempDir(), "data")
			if err := os.WriteFile(path, damage(), 0o600); err != nil {
				t.Fatal(err)
			}
			refused(failed, "cannot be restored", "restore", path, "--data", to)
			if there, err := os.ReadDir(to); err != nil || len(there) > 0 {
				t.Errorf("there is something: %v, %v", there, err)
			}
		})
	}
	inLog("UPDATE log SET recorded_at = recorded_at + 1 WHERE last = (SELECT max(last) - 3 FROM log)")(t, data)
	second := filepath.Join(work, "second.tar")
	refused(failed, "the log is damaged", "backup", second, "--data", data)
	if _, err := os.Stat(second); !os.IsNotExist(err) {
		t.Errorf("it was backed up: %v", err)
	}
}

// TestBackupAfterAKilledOne: what a killed backup left is removed by the next one, and its name is free.
func TestBackupAfterAKilledOne(t *testing.T) {
	t.Parallel()
	work := t.TempDir()
	data, file := filepath.Join(work, "data"), filepath.Join(work, "desk.tar")
	_, stop := inProcess.Serve(t, data)
	stop()
	left := filepath.Join(work, ".daybook-temporary-1")
	if err := os.Mkdir(left, 0o700); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"events.db", "vault.db", "lock"} {
		if err := os.WriteFile(filepath.Join(left, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	inProcess.Must(t, 0, "backup", file, "--data", data)
	if _, err := os.Stat(left); !os.IsNotExist(err) {
		t.Errorf("it is still there: %v", err)
	}
}

// TestKillRestore kills restores at their end, where they move the files into the data folder. What is there then is the whole desk, or
// is not served, or is nothing, and the next restore makes the desk or says what to do.
func TestKillRestore(t *testing.T) {
	t.Parallel()
	work := t.TempDir()
	data, file, settings := filepath.Join(work, "data"), filepath.Join(work, "desk.tar"), filepath.Join(work, "settings.yaml")
	if err := os.WriteFile(settings, []byte("region: IT\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	c, stop := reexec.Serve(t, data)
	for i := range 10 {
		c.Must(t, 201, "POST", "/v1/contacts", map[string]any{"name": fmt.Sprint("Contact ", i)})
	}
	c.CaughtUp(t)
	stop()
	reexec.Must(t, 0, "backup", file, "--data", data, "--config", settings)
	there := func(folder, name string) bool {
		_, err := os.Stat(filepath.Join(folder, name))
		return err == nil
	}
	isWhole := func(t *testing.T, folder string) {
		t.Helper()
		copyKeys(t, data, folder)
		c, stop := reexec.Serve(t, folder)
		c.CaughtUp(t)
		if n := len(c.All(t, "/v1/contacts")); n != 10 {
			t.Errorf("it has %d contacts", n)
		}
		stop()
		verified(t, reexec, folder, 0)
	}
	// goesOn restores into a folder where a restore was killed.
	goesOn := func(t *testing.T, folder string) {
		t.Helper()
		if there(folder, logFile) {
			isWhole(t, folder)
			return
		}
		if there(folder, vaultFile) {
			for _, says := range []string{"put it back from the backup", "restore it"} {
				if _, talk, exit := reexec.Run(t, "serve", "--data", folder, "--listen", "127.0.0.1:0"); exit == 0 || !strings.Contains(talk, says) || there(folder, logFile) {
					t.Errorf("serve: exit %d, %s", exit, talk)
				}
				copyKeys(t, data, folder)
			}
			if _, talk, exit := reexec.Run(t, "restore", file, "--data", folder); exit != conflict || !strings.Contains(talk, "move what is in it away") {
				t.Errorf("restore: exit %d, %s", exit, talk)
			}
			if err := os.RemoveAll(folder); err != nil {
				t.Fatal(err)
			}
		}
		reexec.Must(t, 0, "restore", file, "--data", folder)
		isWhole(t, folder)
	}
	for i := range 3 * kills() {
		t.Run(fmt.Sprint("killed/", i), func(t *testing.T) {
			folder := filepath.Join(t.TempDir(), "data")
			restore := reexec.Start(t, io.Discard, "restore", file, "--data", folder)
			for at := []string{"", vaultFile, settingsFile}[i%3]; !there(folder, at) && !restore.Over(); { // as soon as possible
			}
			restore.Kill()
			left, err := os.ReadDir(folder)
			t.Logf("left: %v, %v", left, err)
			goesOn(t, folder)
		})
	}
	for _, left := range [][]string{nil, {vaultFile}, {vaultFile, settingsFile}} { // in this order
		t.Run(fmt.Sprint("left/", len(left)), func(t *testing.T) {
			folder := filepath.Join(t.TempDir(), "data")
			reexec.Must(t, 0, "restore", file, "--data", folder)
			scratch := filepath.Join(folder, ".daybook-temporary-1")
			if err := os.MkdirAll(filepath.Join(scratch, "data"), 0o700); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(scratch, "lock"), nil, 0o600); err != nil {
				t.Fatal(err)
			}
			for _, name := range []string{logFile, settingsFile, vaultFile} {
				if !slices.Contains(left, name) {
					if err := os.Rename(filepath.Join(folder, name), filepath.Join(scratch, "data", name)); err != nil {
						t.Fatal(err)
					}
				}
			}
			goesOn(t, folder)
		})
	}
}

// TestOddPaths has data folders whose paths have characters that mean something elsewhere, and restores a backup where a link leads
// and where there is an empty folder in one that may not be written to.
func TestOddPaths(t *testing.T) {
	t.Parallel()
	work := t.TempDir()
	data, file := filepath.Join(work, "a desk #1?, 50%25 'new'"), filepath.Join(work, "desk #1%.tar")
	c, stop := inProcess.Serve(t, data)
	c.Must(t, 201, "POST", "/v1/contacts", map[string]any{"name": "Nora"})
	stop()
	inProcess.Must(t, 0, "backup", file, "--data", data)
	if there, err := os.ReadDir(work); err != nil || len(there) != 2 {
		t.Fatalf("beside the folder: %v, %v", there, err)
	}

	real, link := filepath.Join(work, "real"), filepath.Join(work, "link")
	closed := filepath.Join(work, "closed")
	empty := filepath.Join(closed, "data")
	if err := os.MkdirAll(empty, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(real, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(real, link); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(closed, 0o500); err != nil { // of root, who may all the same
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.Chmod(closed, 0o700) })
	for _, to := range []string{link, empty, filepath.Join(work, "new", "one")} {
		inProcess.Must(t, 0, "restore", file, "--data", to)
		copyKeys(t, data, to)
		c, stop := inProcess.Serve(t, to)
		c.CaughtUp(t)
		if n := len(c.All(t, "/v1/contacts")); n != 1 {
			t.Errorf("%s has %d contacts", to, n)
		}
		stop()
	}
}
