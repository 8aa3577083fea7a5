package sqlite_test

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"daybook/eventstore"
	"daybook/eventstore/sqlite"
)

// TestFailingDisk has the file descriptors of SQLite's write-ahead log lead elsewhere for a while: to where nothing can be
// written, and to where writing succeeds and fsync fails.
func TestFailingDisk(t *testing.T) {
	for name, elsewhere := range map[string]struct {
		path string
		flag int
	}{
		"write": {"/proc/self/status", os.O_RDONLY},
		"fsync": {"/dev/null", os.O_WRONLY},
	} {
		t.Run("C51 a failed "+name+" fails its callers alone, and a retry settles it", func(t *testing.T) {
			path := newPath(t)
			store := open(t, path, sqlite.Options{})
			appends(t, store, "a", eventstore.NoStream, events(3, 10))
			repair := breakFile(t, path+"-wal", elsewhere.path, elsewhere.flag)
			failed := events(2, 10)
			for range 3 {
				if _, err := store.Append(t.Context(), "a", 2, failed); err == nil || !strings.Contains(err.Error(), "I/O error") {
					t.Errorf("Append: %v", err)
				}
			}
			repair()
			revisions(t, store, "a", 3)
			for range 2 {
				if got := appends(t, store, "a", 2, failed); got != (eventstore.Appended{Revision: 4, Position: 5}) {
					t.Errorf("the retry gave %+v", got)
				}
			}
			shut(t, store)
			store = open(t, path, sqlite.Options{})
			defer shut(t, store)
			if got := rest(t, store, eventstore.Start); len(got) != 5 {
				t.Errorf("the log holds %d events, want 5", len(got))
			}
			revisions(t, store, "a", 5)
		})
	}
}

// breakFile makes this process's descriptors of a file those of another one until repair.
func breakFile(t *testing.T, path, elsewhere string, flag int) (repair func()) {
	t.Helper()
	other, err := os.OpenFile(elsewhere, flag, 0)
	if err != nil {
		t.Fatal(err)
	}
	links, err := filepath.Glob("/proc/self/fd/*")
	if err != nil {
		t.Fatal(err)
	}
	var fds []int // all of them first: a copy made here is a descriptor of the file too
	for _, link := range links {
		if target, err := os.Readlink(link); err != nil || target != path {
			continue
		}
		fd, err := strconv.Atoi(filepath.Base(link))
		if err != nil {
			t.Fatal(err)
		}
		fds = append(fds, fd)
	}
	if len(fds) == 0 {
		t.Fatalf("%s is not open", path)
	}
	kept := map[int]int{}
	for _, fd := range fds {
		if kept[fd], err = syscall.Dup(fd); err != nil {
			t.Fatal(err)
		}
		if err := syscall.Dup3(int(other.Fd()), fd, syscall.O_CLOEXEC); err != nil {
			t.Fatal(err)
		}
	}
	return func() {
		for fd, file := range kept {
			if err := syscall.Dup3(file, fd, syscall.O_CLOEXEC); err != nil {
				t.Fatal(err)
			}
			syscall.Close(file)
		}
		other.Close()
	}
}
