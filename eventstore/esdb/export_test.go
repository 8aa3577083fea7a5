package esdb

import "time"

// SetSilence sets after how long a silent node is asked whether it leads, until restored.
func SetSilence(d time.Duration) (restore func()) {
	before := silence
	silence = d
	return func() { silence = before }
}
