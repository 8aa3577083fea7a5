// Package daybook has no code: it is the top of the house. README.md says what is where; rooms_test.go, which room may
// know which.
package daybook
