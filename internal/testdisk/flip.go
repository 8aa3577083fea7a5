// Package testdisk makes files and disks fail in tests.
package testdisk

import (
	"math/rand/v2"
	"os"
	"testing"
)

// Flips is how many bits a test flips in each file.
func Flips() int {
	if os.Getenv("DAYBOOK_SOAK") != "" {
		return 1000
	}
	return 60
}

// Bits is how many bits a file has.
func Bits(t testing.TB, path string) int64 {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	return info.Size() * 8
}

// Bit is a random bit of a file, in the nth of as many stretches as there are Flips: so a part of the file that holds nothing gets no more
// of them than its share.
func Bit(t testing.TB, path string, n int) int64 {
	t.Helper()
	stretch := Bits(t, path) / int64(Flips())
	return int64(n)*stretch + rand.Int64N(stretch)
}

// Flip flips one bit of a file.
func Flip(t testing.TB, path string, bit int64) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var b [1]byte
	if _, err := f.ReadAt(b[:], bit/8); err != nil {
		t.Fatal(err)
	}
	b[0] ^= 1 << (bit % 8)
	if _, err := f.WriteAt(b[:], bit/8); err != nil {
		t.Fatal(err)
	}
}
