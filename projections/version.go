package projections

import (
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"io/fs"
	"time"

	"daybook/domain/catalogue"
	"daybook/domain/zone"
)

// expectations are the results of the stories of all events and of a journal that visits every rule. Tests keep them true.
//
//go:embed testdata/*.txt testdata/desk.digest
var expectations embed.FS

// raised is part of Version. Raise it by hand when rows must be rebuilt and no expectation has changed: when a projection treats a
// case differently that neither a story nor the journal visits, or when rows were wrong for another reason.
const raised = 2

// Version is the version of the projections' results. A program with another version builds its own rows. It changes with the
// catalogue of events and with the expectations; the tables are part of the generation's schema.
var Version = versionOf(catalogue.Types(), expectations, raised)

// VersionIn is the version of the results of In. It changes with the data about the zone, too.
func VersionIn(location *time.Location) string {
	if location.String() == time.UTC.String() { // which never changes
		return Version
	}
	return fmt.Sprintf("%s %s %s", Version, location, zone.Version)
}

// versionOf is a digest of the types of events, the files of expected, and a number.
func versionOf(types []string, expected fs.FS, raised int) string {
	digest := sha256.New()
	fmt.Fprintf(digest, "%d %q\n", raised, types)
	err := fs.WalkDir(expected, ".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		text, err := fs.ReadFile(expected, path)
		fmt.Fprintf(digest, "%q %q\n", path, text)
		return err
	})
	if err != nil { // cannot happen: they are in memory
		panic(err)
	}
	return hex.EncodeToString(digest.Sum(nil))[:16]
}
