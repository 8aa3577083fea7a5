package testdesk

import (
	"bytes"
	"regexp"
	"strconv"
	"sync"
)

// Met are the codes of the problems and of the refused lines that a package's tests have met.
var Met = met{of: make(map[string]map[int]string)}

type met struct {
	mu sync.Mutex
	of map[string]map[int]string
}

// Note notes that a code came with a status; that of a line is 0. in is the answer, as an example.
func (m *met) Note(status int, code, in string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if code == "" {
		return
	}
	if m.of[code] == nil {
		m.of[code] = make(map[int]string)
	}
	m.of[code][status] = in
}

// All returns the codes, each with its statuses and an example of each. Call it when the tests have ended.
func (m *met) All() map[string]map[int]string { return m.of }

var (
	coded  = regexp.MustCompile(`"code":"([a-z-]+)"`)
	failed = regexp.MustCompile(`"status":([0-9]+)`)
)

// noteAll notes the codes in an answer.
func (m *met) noteAll(path string, a Answer) {
	if path == "/v1/import" && a.Status == 200 {
		for line := range bytes.Lines(a.Body) {
			status := 0
			if ended := failed.FindSubmatch(line); ended != nil { // the problem that ended the import
				status, _ = strconv.Atoi(string(ended[1]))
			}
			m.noteIn(status, line)
		}
	} else if a.Header.Get("Content-Type") == "application/problem+json" {
		m.noteIn(a.Status, a.Body)
	}
}

func (m *met) noteIn(status int, text []byte) {
	for _, found := range coded.FindAllSubmatch(text, -1) {
		m.Note(status, string(found[1]), string(text[:min(len(text), 1000)]))
	}
}
