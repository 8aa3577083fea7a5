// Package readmodels holds the read models: the row structs that queries answer with, and the queries, one file per noun.
//
// Only projections write rows. Read models can be deleted and rebuilt from the log at any time. Package table below stores
// them; package report computes the agent reports.
package readmodels
