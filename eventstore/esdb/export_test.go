package esdb

import "time"

// SetSilence sets silence and grace, until restored.
func SetSilence(d time.Duration) (restore func()) {
	beforeSilence, beforeGrace := silence, grace
	silence, grace = d, d
	return func() { silence, grace = beforeSilence, beforeGrace }
}
