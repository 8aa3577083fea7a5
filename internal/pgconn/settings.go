package pgconn

import (
	"maps"
	"slices"
	"strings"

	"github.com/lib/pq"
)

// settings are what each session is set to, whatever the server, the database, the role or the URL has set: all that Daybook relies
// on. Values are as PostgreSQL shows them. What a server does not know is left out. See docs/decisions/22.
var settings = map[string]string{
	"synchronous_commit": "on", // what is answered is on the disk

	// The server ends nothing that Daybook does not end, but for a transaction whose process is suspended.
	"statement_timeout":                   "0",
	"lock_timeout":                        "0",
	"transaction_timeout":                 "0",
	"idle_session_timeout":                "0",
	"idle_in_transaction_session_timeout": "10s",

	// default_transaction_read_only is not among them: whoever closes a database to writes means that.
	"default_transaction_isolation": "read committed",

	"search_path":              "",       // names are qualified; who relies on it sets their own
	"row_security":             "off",    // a policy that hides rows is an error, not a gap
	"session_replication_role": "origin", // triggers fire, which notify others

	// How values are written and read.
	"client_encoding":             "UTF8",
	"DateStyle":                   "ISO, MDY",
	"TimeZone":                    "UTC",
	"bytea_output":                "hex",
	"extra_float_digits":          "3",
	"standard_conforming_strings": "on",
	"array_nulls":                 "on",

	// Plans: rows are found by their keys, and compiling costs more than it saves.
	"enable_indexscan":     "on",
	"enable_indexonlyscan": "on",
	"enable_nestloop":      "on",
	"enable_sort":          "on",
	"plan_cache_mode":      "auto",
	"jit":                  "off",
}

// listed returns settings as rows of SQL: their names and values.
func listed(all ...map[string]string) string {
	together := map[string]string{}
	for _, some := range all {
		maps.Copy(together, some)
	}
	var rows []string
	for _, name := range slices.Sorted(maps.Keys(together)) {
		rows = append(rows, "("+pq.QuoteLiteral(name)+", "+pq.QuoteLiteral(together[name])+")")
	}
	return "(VALUES " + strings.Join(rows, ", ") + ") AS s (name, value) WHERE pg_catalog.current_setting(name, true) <> value"
}

// set is the statement that sets what is set otherwise.
func set(all ...map[string]string) string {
	return "SELECT pg_catalog.set_config(name, value, false) FROM " + listed(all...)
}
