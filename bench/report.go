package main

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"syscall"
)

// A result is the result of a measure. Its value is the median of the rounds' ratios, or of ours in a unit if there is no reference.
type result struct {
	ID     string  `json:"id"`
	Value  float64 `json:"value"`
	Must   float64 `json:"must"`
	Aim    float64 `json:"aim"`
	Unit   string  `json:"unit,omitempty"`
	Lower  bool    `json:"lower_is_better,omitempty"`
	Rounds []round `json:"rounds"`
}

// A round is one run of each side, as rates per second or times in seconds. If there is no reference, the ratio is ours.
type round struct {
	Ours      float64 `json:"ours"`
	Reference float64 `json:"reference,omitempty"`
	Ratio     float64 `json:"ratio"`
}

// median returns the middle round by value; for an even number, the mean of the middle two.
func median(rounds []round, value func(round) float64) float64 {
	values := make([]float64, len(rounds))
	for i, r := range rounds {
		values[i] = value(r)
	}
	slices.Sort(values)
	return (values[(len(values)-1)/2] + values[len(values)/2]) / 2
}

func (r result) verdict() string {
	switch {
	case r.reaches(r.Aim):
		return "aim reached"
	case r.reaches(r.Must):
		return "enough"
	}
	if r.Unit != "" {
		return "too much"
	}
	return "too slow"
}

func (r result) reaches(mark float64) bool {
	if r.Lower {
		return r.Value <= mark
	}
	return r.Value >= mark
}

// mark writes the bound of a value.
func (r result) mark(n float64) string {
	if r.Lower {
		return "≤ " + figure(n, r.Unit)
	}
	return "≥ " + figure(n, r.Unit)
}

// quantity writes the result of one side of a measure.
func (m measure) quantity(v float64) string {
	switch {
	case m.unit != "":
		return figure(v, m.unit)
	case m.times:
		return figure(1000*v, "ms")
	}
	return fmt.Sprintf("%.0f/s", v)
}

// figure writes a number with three digits, or all before the point, and its unit, if it has one.
func figure(v float64, unit string) string {
	if v >= 1000 {
		return strings.TrimSpace(fmt.Sprintf("%.0f %s", v, unit))
	}
	return strings.TrimSpace(fmt.Sprintf("%.3g %s", v, unit))
}

// writeTable writes results as a table in Markdown, which is readable on a terminal too.
func writeTable(out io.Writer, results []result) {
	fmt.Fprintln(out, "| # | what | reference in the same run | ours | reference | ratio, or ours | must | aim | |")
	fmt.Fprintln(out, "|---|---|---|--:|--:|--:|--:|--:|---|")
	for _, r := range results {
		m := byID(r.ID)
		compared, reference := "–", "–"
		if m.unit == "" {
			compared, reference = m.reference, m.quantity(median(r.Rounds, func(r round) float64 { return r.Reference }))
		}
		fmt.Fprintf(out, "| %s | %s | %s | %s | %s | **%s** | %s | %s | %s |\n", r.ID, m.title, compared,
			m.quantity(median(r.Rounds, func(r round) float64 { return r.Ours })), reference,
			figure(r.Value, r.Unit), r.mark(r.Must), r.mark(r.Aim), r.verdict())
	}
}

// leave writes latest.json, latest.md and latest.svg. It keeps the results of measures that did not run now.
func leave(dir, where string, results []result) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	path := filepath.Join(dir, "latest.json")
	var all []result
	old, err := os.ReadFile(path)
	if err == nil {
		err = json.Unmarshal(old, &all)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("reading the results of earlier runs in %s: %w", path, err)
	}
	for _, r := range results {
		all = slices.DeleteFunc(all, func(o result) bool { return o.ID == r.ID })
		all = append(all, r)
	}
	all = slices.DeleteFunc(all, func(r result) bool { return byID(r.ID).id == "" })
	order := func(r result) int { return slices.IndexFunc(measures, func(m measure) bool { return m.id == r.ID }) }
	slices.SortFunc(all, func(a, b result) int { return cmp.Compare(order(a), order(b)) })

	data, err := json.MarshalIndent(all, "", "  ")
	if err != nil {
		return err
	}
	var table strings.Builder
	fmt.Fprintf(&table, "# Measured\n\n%s\n\n", where)
	writeTable(&table, all)
	fmt.Fprintf(&table, "\n![Each measure's ratio, with what it must reach and its aim](latest.svg)\n")
	return errors.Join(
		os.WriteFile(path, append(data, '\n'), 0o644),
		os.WriteFile(filepath.Join(dir, "latest.md"), []byte(table.String()), 0o644),
		os.WriteFile(filepath.Join(dir, "latest.svg"), []byte(plot(all)), 0o644),
	)
}

func byID(id string) measure {
	for _, m := range measures {
		if m.id == id {
			return m
		}
	}
	return measure{}
}

// plot draws a bar for each measure, lines at its must and its aim, and a dot for each round.
func plot(results []result) string {
	const left, width, line = 60, 600, 34
	var b strings.Builder
	height := line*len(results) + 30
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" font-family="sans-serif" font-size="13">`+"\n", left+width+170, height)
	fmt.Fprintf(&b, `<rect width="100%%" height="100%%" fill="white"/>`+"\n")
	for i, r := range results {
		top := 10 + i*line
		x := func(v float64) float64 { return left + width*min(v/max(r.Must, r.Aim), 1.15)/1.15 }
		colour := "#2a7f62"
		if !r.reaches(r.Must) {
			colour = "#b5402e"
		}
		fmt.Fprintf(&b, `<text x="10" y="%d">%s</text>`, top+17, r.ID)
		fmt.Fprintf(&b, `<rect x="%d" y="%d" width="%.1f" height="20" fill="%s" opacity="0.55"/>`, left, top+2, x(r.Value)-left, colour)
		fmt.Fprintf(&b, `<line x1="%.1f" x2="%.1f" y1="%d" y2="%d" stroke="black" stroke-width="2"/>`, x(r.Must), x(r.Must), top, top+24)
		fmt.Fprintf(&b, `<line x1="%.1f" x2="%.1f" y1="%d" y2="%d" stroke="black" stroke-dasharray="3"/>`, x(r.Aim), x(r.Aim), top, top+24)
		for _, o := range r.Rounds {
			fmt.Fprintf(&b, `<circle cx="%.1f" cy="%d" r="3" fill="%s"/>`, x(o.Ratio), top+12, colour)
		}
		fmt.Fprintf(&b, `<text x="%d" y="%d">%s (must %s, aim %s)</text>`+"\n", left+width+5, top+17, figure(r.Value, r.Unit), r.mark(r.Must), r.mark(r.Aim))
	}
	fmt.Fprintf(&b, `<text x="%d" y="%d" fill="#555">solid line: must reach; dashed: aim; dots: rounds</text>`+"\n</svg>\n", left, height-6)
	return b.String()
}

// describe describes the conditions: versions, cores, the file system, and what durable means. It refuses to measure a disk in memory.
func describe(dir string, db database) (string, error) {
	const tmpfs = 0x01021994
	var fsys syscall.Statfs_t
	if err := syscall.Statfs(dir, &fsys); err != nil {
		return "", err
	}
	if fsys.Type == tmpfs {
		return "", fmt.Errorf("%s is in memory, where fsync costs nothing; choose a directory on a disk with -dir", dir)
	}
	var versions []string
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, d := range info.Deps {
			if d.Path == "modernc.org/sqlite" {
				versions = append(versions, d.Path+" "+d.Version)
			}
		}
	}
	where := fmt.Sprintf("%s %s/%s, %d cores, %s; file system type %#x. SQLite: journal_mode=WAL, synchronous=FULL (an fsync in every commit); references: fdatasync.",
		runtime.Version(), runtime.GOOS, runtime.GOARCH, runtime.GOMAXPROCS(0), strings.Join(versions, ", "), fsys.Type)
	if db.url == "" {
		return where, nil
	}
	server, err := db.describe()
	return where + " " + server, err
}
