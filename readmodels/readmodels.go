// Package readmodels is the rows that people look at and the questions asked of them, one file a noun.
//
// Rows are written by projections and by nobody else; they can be thrown away and built again from the log. Package table
// below is the machine that keeps them, package report computes the agent reports.
package readmodels
