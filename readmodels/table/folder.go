package table

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// A Folder keeps the generations of one desk in a folder, each in a file "readmodels-NUMBER.db".
type Folder string

var _ Home = Folder("")

// Hold implements Home. It returns at once: the process has locked the folder already.
func (f Folder) Hold(context.Context, string, func()) (Term, error) { return Alone{}, nil }

// Changes implements Home.
func (f Folder) Changes(context.Context) <-chan struct{} { return nil }

// Generations implements Home.
func (f Folder) Generations(ctx context.Context) ([]Generation, error) {
	numbers, err := f.numbers()
	if err != nil {
		return nil, err
	}
	all := make([]Generation, len(numbers))
	for i, n := range numbers {
		if all[i], err = f.generation(ctx, n); err != nil {
			return nil, fmt.Errorf("reading the generation of %s: %w", f.Path(n), err)
		}
	}
	return all, nil
}

func (f Folder) generation(ctx context.Context, number int) (g Generation, err error) {
	db, err := OpenReadOnly(f.Path(number))
	if err != nil {
		return g, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	var laid bool
	err = db.Readers.GetContext(ctx, &laid, "SELECT count(*) FROM sqlite_schema WHERE name = 'generation'")
	if err == nil && !laid {
		return Generation{Number: number, State: Building}, nil
	}
	if err == nil {
		g, err = ReadGeneration(ctx, db.Readers)
	}
	if IsDamage(readDamage(err)) {
		return Generation{Number: number, State: Damaged}, nil
	}
	g.Number = number // whatever it says
	return g, err
}

// Open implements Home.
func (f Folder) Open(_ context.Context, number int) (*DB, error) { return Open(f.Path(number)) }

// OpenReadOnly implements Home.
func (f Folder) OpenReadOnly(_ context.Context, number int) (*DB, error) {
	return OpenReadOnly(f.Path(number))
}

// Create implements Home.
func (f Folder) Create(context.Context) (*DB, int, error) {
	numbers, err := f.numbers()
	if err != nil {
		return nil, 0, err
	}
	number := 1
	if n := len(numbers); n > 0 {
		number = numbers[n-1] + 1
	}
	db, err := Open(f.Path(number))
	return db, number, err
}

// Path returns the file of a generation.
func (f Folder) Path(number int) string {
	return filepath.Join(string(f), prefix+strconv.Itoa(number)+suffix)
}

// Remove implements Home.
func (f Folder) Remove(_ context.Context, _ Term, number int) error { return Remove(f.Path(number)) }

// Close implements Home.
func (f Folder) Close() error { return nil }

// Remove removes the files of a database, which must be closed.
func Remove(path string) error {
	var errs []error
	for _, part := range []string{"-wal", "-shm", ""} {
		if err := os.Remove(path + part); err != nil && !errors.Is(err, os.ErrNotExist) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

const (
	prefix = "readmodels-"
	suffix = ".db"
)

// numbers returns the generations that have a file, in ascending order.
func (f Folder) numbers() ([]int, error) {
	entries, err := os.ReadDir(string(f))
	if err != nil {
		return nil, err
	}
	var numbers []int
	for _, e := range entries {
		name, ok := strings.CutSuffix(e.Name(), suffix)
		if !ok {
			continue
		}
		if n, err := strconv.Atoi(strings.TrimPrefix(name, prefix)); err == nil && e.Name() == prefix+strconv.Itoa(n)+suffix {
			numbers = append(numbers, n)
		}
	}
	slices.SortFunc(numbers, cmp.Compare)
	return numbers, nil
}
