//go:build race

package table_test

func init() { raced = true }
