package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"daybook/internal/testdesk"
)

// TestReadme runs every command of the README's tour, and compares the outputs with those shown. "…" stands for any text.
func TestReadme(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("curl"); err != nil {
		testdesk.LeaveOut(t, "the README's tour needs curl")
	}
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	folder := t.TempDir()
	err = os.Mkdir(filepath.Join(folder, "bin"), 0o700)
	if err == nil {
		err = os.Symlink(testdesk.Shipped(t).Path(t), filepath.Join(folder, "bin", "daybook"))
	}
	if err != nil {
		t.Fatal(err)
	}
	demo := filepath.Join(folder, "demo")
	inProcess.Must(t, 0, "simulate", "--data", demo, "--days", "14")
	desk, _ := inProcess.Serve(t, demo)
	desk.CaughtUp(t)

	blocks := regexp.MustCompile("(?s)```console\n(.*?)```").FindAllStringSubmatch(string(readme), -1)
	if len(blocks) < 4 {
		t.Fatalf("the README has %d blocks of a tour", len(blocks))
	}
	var script strings.Builder
	var wanted []string
	const mark = "<<< next >>>"
	for _, b := range blocks {
		for _, part := range strings.Split("\n"+b[1], "\n$ ")[1:] {
			command, output, _ := strings.Cut(part, "\n")
			script.WriteString(strings.ReplaceAll(command, "http://127.0.0.1:8080", desk.URL) + "\necho '" + mark + "'\n")
			wanted = append(wanted, strings.TrimSpace(output))
		}
	}
	shell := exec.CommandContext(t.Context(), "bash", "-c", script.String())
	shell.Dir = folder
	output, err := shell.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, output)
	}
	for i, got := range strings.Split(string(output), mark)[:len(wanted)] {
		pattern := "(?s)^" + strings.ReplaceAll(regexp.QuoteMeta(wanted[i]), "…", ".*?") + "$"
		if !regexp.MustCompile(pattern).MatchString(strings.TrimSpace(strings.ReplaceAll(got, "\r", ""))) {
			t.Errorf("the README shows\n%s\nand this came\n%s", wanted[i], got)
		}
	}
}
