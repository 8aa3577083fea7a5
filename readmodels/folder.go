package readmodels

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

// A Home is where the generations of one desk are kept.
type Home interface {
	// Live opens the live generation, the newest that is ready, or returns nil if there is none. Generations whose building
	// was broken off it removes, so nobody may be building one.
	Live(ctx context.Context) (*DB, Generation, error)
	// OpenLive opens the live generation for reading, beside whoever posts to it, or returns nil if there is none.
	OpenLive(ctx context.Context) (*DB, error)
	// Create makes an empty database for the generation after all there are.
	Create(ctx context.Context) (db *DB, number int, err error)
	// Numbers lists the generations there are, in their order.
	Numbers(ctx context.Context) ([]int, error)
	// Remove removes a generation, which must be closed.
	Remove(ctx context.Context, number int) error
}

// RemoveBefore removes all generations with a smaller number.
func RemoveBefore(ctx context.Context, home Home, number int) error {
	numbers, err := home.Numbers(ctx)
	for _, n := range numbers {
		if n < number {
			err = errors.Join(err, home.Remove(ctx, n))
		}
	}
	return err
}

// next is the number of a generation after all there are, which come in their order.
func next(numbers []int) int {
	if len(numbers) == 0 {
		return 1
	}
	return numbers[len(numbers)-1] + 1
}

var (
	_ Home = Folder("")
	_ Home = Schemas{}
)

// A Folder is where the generations of one desk are kept, each in a file "readmodels-NUMBER.db". The newest that is
// ready is the live one.
type Folder string

// Live implements Home.
func (f Folder) Live(ctx context.Context) (*DB, Generation, error) {
	numbers, err := f.Numbers(ctx)
	if err != nil {
		return nil, Generation{}, err
	}
	for _, n := range slices.Backward(numbers) {
		db, g, err := f.open(ctx, n)
		if err != nil {
			return nil, g, err
		}
		if db != nil {
			return db, g, nil
		}
		if err := f.Remove(ctx, n); err != nil {
			return nil, g, err
		}
	}
	return nil, Generation{}, nil
}

// OpenLive implements Home.
func (f Folder) OpenLive(ctx context.Context) (*DB, error) {
	numbers, err := f.Numbers(ctx)
	if err != nil {
		return nil, err
	}
	for _, n := range slices.Backward(numbers) {
		db, err := OpenReadOnly(f.Path(n))
		if err != nil {
			return nil, err
		}
		if g, err := ReadGeneration(ctx, db.Readers); err == nil && g.State == Ready {
			return db, nil
		}
		if err := db.Close(); err != nil {
			return nil, err
		}
	}
	return nil, nil
}

// open opens a generation, or returns nil if it is not ready.
func (f Folder) open(ctx context.Context, number int) (*DB, Generation, error) {
	db, err := Open(f.Path(number))
	if err != nil {
		return nil, Generation{}, err
	}
	var laid bool
	if err = db.Readers.GetContext(ctx, &laid, "SELECT count(*) FROM sqlite_schema WHERE name = 'generation'"); err != nil || !laid {
		return nil, Generation{}, errors.Join(err, db.Close())
	}
	g, err := ReadGeneration(ctx, db.Readers)
	if err != nil {
		return nil, g, errors.Join(fmt.Errorf("reading which generation %s is: %w", db.path, err), db.Close())
	}
	if g.State != Ready {
		return nil, g, db.Close()
	}
	return db, g, nil
}

// Create implements Home.
func (f Folder) Create(ctx context.Context) (*DB, int, error) {
	numbers, err := f.Numbers(ctx)
	if err != nil {
		return nil, 0, err
	}
	number := next(numbers)
	db, err := Open(f.Path(number))
	return db, number, err
}

// Path is the file of a generation.
func (f Folder) Path(number int) string {
	return filepath.Join(string(f), prefix+strconv.Itoa(number)+suffix)
}

// Remove implements Home.
func (f Folder) Remove(_ context.Context, number int) error { return Remove(f.Path(number)) }

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

// Numbers implements Home.
func (f Folder) Numbers(context.Context) ([]int, error) {
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
