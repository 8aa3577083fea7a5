// Package zone is the IANA time zones, from data that the program carries with it: what a name means does not depend on the
// machine, nor change while the program runs.
package zone

import (
	"archive/zip"
	"bytes"
	_ "embed"
	"fmt"
	"io"
	"sync"
	"time"
)

// Version is the version of the data.
const Version = "2025c"

// zoneinfo.zip is lib/time/zoneinfo.zip of the Go that this was built with first; lib/time/update.bash there names its
// version.
//
//go:embed zoneinfo.zip
var archive []byte

var files = sync.OnceValue(func() map[string]*zip.File {
	all, err := zip.NewReader(bytes.NewReader(archive), int64(len(archive)))
	if err != nil {
		panic(err) // it is embedded
	}
	byName := make(map[string]*zip.File)
	for _, f := range all.File {
		if !f.FileInfo().IsDir() {
			byName[f.Name] = f
		}
	}
	return byName
})

// Load returns the zone with a name, such as Europe/Rome.
func Load(name string) (*time.Location, error) {
	file, ok := files()[name]
	if !ok {
		return nil, fmt.Errorf("there is no time zone %q", name)
	}
	r, err := file.Open()
	if err != nil {
		return nil, err
	}
	defer r.Close()
	data, err := io.ReadAll(r)
	if err != nil {
		return nil, err
	}
	return time.LoadLocationFromTZData(name, data)
}
