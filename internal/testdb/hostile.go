package testdb

import (
	"net/url"
	"strings"
	"testing"

	"github.com/jmoiron/sqlx"
)

// Hostile are settings with which a program that relied on the defaults would lose data, fail, or misread.
var Hostile = map[string]string{
	"synchronous_commit": "off", "statement_timeout": "'500ms'", "lock_timeout": "'10ms'", "idle_session_timeout": "'500ms'",
	"idle_in_transaction_session_timeout": "'10ms'", "default_transaction_isolation": "'serializable'",
	"search_path": "nowhere", "row_security": "on", "session_replication_role": "replica", "DateStyle": "'German, DMY'", "TimeZone": "'Asia/Kathmandu'",
	"bytea_output": "'escape'", "extra_float_digits": "-15", "standard_conforming_strings": "off", "array_nulls": "off", "client_encoding": "'LATIN1'",
	"jit": "on", "enable_indexscan": "off", "enable_indexonlyscan": "off", "enable_nestloop": "off", "enable_sort": "off", "plan_cache_mode": "'force_generic_plan'",
}

// Spoil gives a database such settings.
func Spoil(t testing.TB, database string) {
	t.Helper()
	u, err := url.Parse(database)
	if err != nil {
		t.Fatal(err)
	}
	admin := sqlx.MustConnect("postgres", database)
	defer admin.Close()
	for name, value := range Hostile {
		if _, err := admin.Exec("ALTER DATABASE " + strings.TrimPrefix(u.Path, "/") + " SET " + name + " = " + value); err != nil {
			t.Fatal(err)
		}
	}
}
