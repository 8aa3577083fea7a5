package postgres

import "time"

// Silence sets how long a server may take to answer, until restored.
func Silence(d time.Duration) (restore func()) {
	before := answerWithin
	answerWithin = d
	return func() { answerWithin = before }
}
