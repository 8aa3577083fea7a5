package main

import (
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"daybook/internal/testdisk"
)

// TestFailingDisk makes each database of a running server fail for a while. Commands that cannot be stored are refused,
// answered ones are kept, queries still work, and the server recovers by itself when the disk does.
func TestFailingDisk(t *testing.T) {
	for _, file := range []string{"events.db", "vault.db", "readmodels-*.db"} {
		for _, failing := range testdisk.Failures {
			t.Run(file+" "+failing.Name, func(t *testing.T) {
				folder := t.TempDir()
				c, _ := inProcess.Serve(t, folder)
				kept := []string{c.Must(t, 201, "POST", "/v1/contacts", map[string]any{"name": "Before"}).ID(t)}
				c.CaughtUp(t)
				paths, err := filepath.Glob(filepath.Join(folder, file+"-wal"))
				if err != nil || len(paths) != 1 {
					t.Fatalf("%s: %v, %v", file, paths, err)
				}
				repair := failing.Break(t, paths[0])
				for range 3 {
					a, err := c.Try(t.Context(), "POST", "/v1/contacts", map[string]any{"name": "Meanwhile"})
					if err != nil {
						t.Fatal(err)
					}
					switch a.Status {
					case http.StatusCreated:
						kept = append(kept, a.ID(t))
					case http.StatusServiceUnavailable:
						if body := string(a.Body); !strings.Contains(body, `"unavailable"`) || strings.Contains(body, "SQL") || strings.Contains(body, folder) {
							t.Errorf("the refusal says %s", a)
						}
					default:
						t.Errorf("got %s", a)
					}
				}
				if accepted := len(kept) - 1; strings.HasPrefix(file, "events") && accepted > 0 {
					t.Errorf("%d commands were accepted that no disk has", accepted)
				} else if strings.HasPrefix(file, "readmodels") && accepted != 3 {
					t.Errorf("%d commands of 3 were accepted, which needs no read model", accepted)
				}
				c.Get(t, "/healthz")
				repair()

				kept = append(kept, c.Must(t, 201, "POST", "/v1/contacts", map[string]any{"name": "After"}).ID(t))
				c.CaughtUp(t)
				for _, id := range kept {
					c.Get(t, "/v1/contacts/"+id)
				}
				c.Get(t, "/readyz")
				inProcess.Must(t, 0, "verify", "--data", folder)
			})
		}
	}
}
