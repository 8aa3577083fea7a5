package esdb

import "time"

// SetSilence sets after how long a silent node is asked why, and how long it has then, until restored.
func SetSilence(d time.Duration) (restore func()) {
	beforeSilence, beforeGrace := silence, grace
	silence, grace = d, d
	return func() { silence, grace = beforeSilence, beforeGrace }
}
