package journal

import (
	"io"
	"time"
)

// Simulate writes the journal of a believable desk.
func Simulate(w io.Writer, seed int64, from time.Time, days int) error { return nil }
