package storetest

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestTable compares docs/conformance.md with the cases here and in the backends' own tests.
func TestTable(t *testing.T) {
	page, err := os.ReadFile("../../docs/conformance.md")
	if err != nil {
		t.Fatal(err)
	}
	tested := map[string][]string{} // number → where the table says it is tested
	backends := []string{"sqlite", "postgres", "esdb"}
	row := regexp.MustCompile(`(?m)^\| (C\d+) \|[^|]*\|([^|]*)\|([^|]*)\|([^|]*)\|([^|]*)\|`)
	for _, match := range row.FindAllStringSubmatch(string(page), -1) {
		number, places := match[1], strings.TrimSpace(match[2])
		if _, twice := tested[number]; twice {
			t.Errorf("the table has %s twice", number)
		}
		tested[number] = nil
		if places != "–" {
			tested[number] = strings.Split(places, ", ")
		}
		for i, backend := range backends {
			want := "–"
			if slices.Contains(tested[number], "suite") || slices.Contains(tested[number], backend) {
				want = "yes"
			}
			if got := strings.TrimSpace(match[3+i]); got != want {
				t.Errorf("the table says %q of %s in %s, and of where it is tested, %q", got, number, backend, places)
			}
		}
	}
	for n := 1; n <= 66; n++ {
		if _, ok := tested[fmt.Sprint("C", n)]; !ok {
			t.Errorf("the table lacks C%d", n)
		}
	}

	exists := map[string][]string{"suite": nil}
	for _, c := range cases {
		number, _, _ := strings.Cut(c.name, " ")
		exists["suite"] = append(exists["suite"], number)
	}
	files, err := filepath.Glob("../*/*_test.go")
	if err != nil {
		t.Fatal(err)
	}
	subtest := regexp.MustCompile(`t\.Run\("(C\d+) `)
	for _, file := range files {
		source, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		backend := filepath.Base(filepath.Dir(file))
		for _, match := range subtest.FindAllStringSubmatch(string(source), -1) {
			exists[backend] = append(exists[backend], match[1])
		}
	}
	for number, places := range tested {
		for _, place := range places {
			if !slices.Contains(exists[place], number) {
				t.Errorf("the table says that %s is tested in %s, where no case has that number", number, place)
			}
		}
	}
	for place, numbers := range exists {
		for _, number := range numbers {
			if !slices.Contains(tested[number], place) {
				t.Errorf("%s tests %s, and the table does not say so", place, number)
			}
		}
	}
}
