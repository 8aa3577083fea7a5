package projections

import (
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"io/fs"

	"daybook/domain/catalogue"
)

// expectations are what the stories of all events, and a journal that visits every rule, fold to. Tests keep them true.
//
//go:embed testdata/*.txt testdata/desk.digest
var expectations embed.FS

// raised is part of Version. Raise it by hand when rows must be built anew and no expectation shows it: when a projection
// makes something else of a case that neither a story nor the journal visits, or when rows were wrong for another reason.
const raised = 1

// Version is that of what the projections make of events. A program whose version differs builds rows of its own. It
// changes with the catalogue and with the expectations; the tables are in the generation's schema already.
var Version = versionOf(catalogue.Types(), expectations, raised)

// versionOf is a digest of the types of events, of the files of expected, and of a number.
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
	if err != nil { // they are in memory
		panic(err)
	}
	return hex.EncodeToString(digest.Sum(nil))[:16]
}
