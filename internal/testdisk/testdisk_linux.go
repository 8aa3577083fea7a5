package testdisk

import (
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
)

// A Failure is a way in which a disk fails under a program: its descriptors are redirected for a while.
type Failure struct {
	Name    string // of the system call that fails
	instead string // the file that replaces the right one
	flag    int
}

// Failures are all failures: nothing can be written, or what is written cannot be made durable.
var Failures = []Failure{
	{"write", "/proc/self/status", os.O_RDONLY},
	{"fsync", "/dev/null", os.O_WRONLY},
}

// Break makes a file that this process has open fail until repair is called.
func (f Failure) Break(t testing.TB, path string) (repair func()) {
	t.Helper()
	other, err := os.OpenFile(f.instead, f.flag, 0)
	if err != nil {
		t.Fatal(err)
	}
	links, err := filepath.Glob("/proc/self/fd/*")
	if err != nil {
		t.Fatal(err)
	}
	var fds []int // all of them first: a copy made below is a descriptor of the file too
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
