//go:build !race

package testdesk

// raced says whether the test was built with the race detector.
const raced = false
