package main

import (
	"errors"
	"fmt"
	"net/http"
	"path/filepath"
	"slices"
	"testing"

	"github.com/google/uuid"

	"daybook/internal/testdesk"
	"daybook/vault"
)

// keptIn returns the blobs of a vault in a data folder.
func keptIn(t *testing.T, data string) (all []uuid.UUID) {
	t.Helper()
	v, err := vault.Open(filepath.Join(data, "vault.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer v.Close()
	blobs, err := v.Blobs(t.Context(), uuid.Nil, 1000)
	if err != nil {
		t.Fatal(err)
	}
	for _, b := range blobs {
		all = append(all, b.ID)
	}
	return all
}

// TestLostPictures leaves in the vault what a killed process leaves: a picture without an event, and one that was replaced. They are
// destroyed, once nothing has named them twice, and nothing else is.
func TestLostPictures(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	c, stop := inProcess.Serve(t, data)
	of := map[string]string{}
	for path, body := range map[string]map[string]any{"/v1/contacts": {"name": "Nora"}, "/v1/companies": {"name": "Acme"}, "/v1/agents": {"name": "Ada", "email": "ada@desk.example", "role": "agent"}} {
		of[path] = c.Must(t, 201, http.MethodPost, path, body).ID(t)
		for range 2 {
			c.Must(t, 200, http.MethodPut, path+"/"+of[path]+"/avatar", testdesk.Image(onePixel))
		}
	}
	c.CaughtUp(t)
	stop()
	kept := keptIn(t, data)
	if len(kept) != 6 {
		t.Fatalf("%d are kept, want two of each thing", len(kept))
	}

	d, err := openDesk(t.Context(), folder{Data: data})
	if err != nil {
		t.Fatal(err)
	}
	defer d.close()
	if _, err = d.begin(t.Context()); err == nil {
		err = d.catchUp(t.Context())
	}
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range of {
		for range 3 {
			if _, err := d.vault.KeepBlob(t.Context(), uuid.MustParse(id), []byte("lost")); err != nil {
				t.Fatal(err)
			}
		}
	}
	l := &lostPictures{desk: d.commands, vault: d.vault, live: d.live}
	for turn, want := range []int{15, 6, 6} {
		if err := l.look(t.Context()); err != nil {
			t.Fatal(err)
		}
		if left := keptIn(t, data); len(left) != want || want == 6 && !slices.Equal(left, kept) {
			t.Errorf("after turn %d, %d are left, want %d", turn, len(left), want)
		}
	}
}

// TestKillPictures kills a server while pictures are replaced. What was answered is there, and what is lost can be found.
func TestKillPictures(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	c, server := reexec.StartServer(t, data)
	var paths []string
	for i := range 4 {
		paths = append(paths, "/v1/contacts/"+c.Must(t, 201, http.MethodPost, "/v1/contacts", map[string]any{"name": fmt.Sprint("Contact ", i)}).ID(t)+"/avatar")
	}
	done := make(chan struct{})
	answered := make(chan struct{}, 1000)
	for _, path := range paths {
		go func() {
			defer func() { done <- struct{}{} }()
			for {
				if a, err := c.Try(t.Context(), http.MethodPut, path, testdesk.Image(onePixel)); err != nil || a.Status != 200 {
					return
				}
				answered <- struct{}{}
			}
		}()
	}
	for range 40 {
		<-answered
	}
	server.Kill()
	for range paths {
		<-done
	}
	c, stop := reexec.Serve(t, data)
	c.CaughtUp(t)
	for _, path := range paths {
		c.Get(t, path)
		c.Get(t, path+"?size=64")
	}
	stop()
	d, err := openDesk(t.Context(), folder{Data: data})
	if err != nil {
		t.Fatal(err)
	}
	if _, err = d.begin(t.Context()); err == nil {
		err = d.catchUp(t.Context())
	}
	l := &lostPictures{desk: d.commands, vault: d.vault, live: d.live}
	if err = errors.Join(err, l.look(t.Context()), l.look(t.Context()), d.close()); err != nil {
		t.Fatal(err)
	}
	if left := keptIn(t, data); len(left) != 2*len(paths) {
		t.Errorf("%d are kept, want %d", len(left), 2*len(paths))
	}
}

// TestRepeatedPicture repeats a request whose outcome was not stored, after its picture was replaced. It is answered as at first, and
// the picture is not kept again.
func TestRepeatedPicture(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	c, stop := inProcess.Serve(t, data)
	path := "/v1/contacts/" + c.Must(t, 201, http.MethodPost, "/v1/contacts", map[string]any{"name": "Nora"}).ID(t) + "/avatar"
	key := testdesk.Header("Idempotency-Key", "first")
	first := c.Must(t, 200, http.MethodPut, path, testdesk.Image(onePixel), key).Object(t)["picture_id"]
	again := func() {
		t.Helper()
		stop()
		alter(t, filepath.Join(data, "vault.db"), "DELETE FROM outcomes")
		c, stop = inProcess.Serve(t, data)
		if again := c.Must(t, 200, http.MethodPut, path, testdesk.Image(onePixel), key).Object(t)["picture_id"]; again != first {
			t.Errorf("repeated: %v, first %v", again, first)
		}
	}
	again()
	c.CaughtUp(t)
	c.Get(t, path)
	c.Must(t, 200, http.MethodPut, path, testdesk.Image(onePixel))
	kept := keptIn(t, data)
	again()
	stop()
	if left := keptIn(t, data); len(left) != 2 || !slices.Equal(left, kept) {
		t.Errorf("%v are kept, want %v", left, kept)
	}
}
