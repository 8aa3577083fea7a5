package table

import (
	"cmp"
	"context"
	"database/sql"
	"database/sql/driver"
	"encoding/hex"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strconv"
	"strings"

	"github.com/jmoiron/sqlx"
	"github.com/lib/pq"
)

// postgres is the dialect of PostgreSQL: one statement per table, whatever the number of rows.
type postgres struct {
	channel string // is notified of every commit
	schema  string
	views   string // the schema that dashboards read
}

var postgresWords = [...]string{Text: `text COLLATE "C"`, Integer: "bigint", Moment: "bigint", Day: `text COLLATE "C"`, Real: "double precision", Boolean: "boolean", Bytes: "bytea"}

func (postgres) createTable(r *Relation) string { return createTable(r, postgresWords[:]) }

func (p postgres) beforeTables() string {
	return "CREATE SCHEMA " + pq.QuoteIdentifier(p.schema) + ";\n" + fmt.Sprintf(readable, pq.QuoteLiteral(pq.QuoteIdentifier(p.channel)), pq.QuoteLiteral(pq.QuoteIdentifier(p.schema))) +
		strings.ReplaceAll(system, "TEXT", postgresWords[Text])
}

// readable lets those who may use the schema beside the generations read a generation whose tables are created after this.
const readable = `DO $do$ DECLARE reader text; BEGIN
	FOR reader IN SELECT CASE grantee WHEN 0 THEN 'PUBLIC' ELSE grantee::regrole::text END
		FROM pg_namespace, aclexplode(nspacl) WHERE oid = to_regnamespace(%[1]s) AND privilege_type = 'USAGE' AND grantee <> nspowner LOOP
		EXECUTE 'GRANT USAGE ON SCHEMA ' || %[2]s || ' TO ' || reader;
		EXECUTE 'ALTER DEFAULT PRIVILEGES IN SCHEMA ' || %[2]s || ' GRANT SELECT ON TABLES TO ' || reader;
	END LOOP;
END $do$;
`

func (postgres) beforeIndexes() string { return "" }

// afterIndexes analyses these tables, and nothing else in the database.
func (postgres) afterIndexes(tables []*Relation) string {
	if len(tables) == 0 {
		return ""
	}
	names := make([]string, len(tables))
	for i, t := range tables {
		names[i] = quoted(t.Name)
	}
	return "ANALYZE " + strings.Join(names, ", ") + ";\n"
}

func (postgres) snapshot() *sql.TxOptions {
	return &sql.TxOptions{Isolation: sql.LevelRepeatableRead, ReadOnly: true}
}

// reporting creates the schema that dashboards read: a commented view of each table, with the same name in every generation. A view is
// replaced in place, which keeps its grants, unless its columns have changed.
const reporting = `
DO $do$ BEGIN
	IF to_regnamespace(%[1]s) IS NULL THEN
		CREATE SCHEMA %[2]s;
	END IF;
END $do$;
COMMENT ON SCHEMA %[2]s IS %[3]s;
DO $do$ BEGIN
	CREATE ROLE daybook_reader NOLOGIN;
EXCEPTION WHEN duplicate_object OR unique_violation OR insufficient_privilege THEN NULL; -- an administrator may make it
END $do$;
`

// granted lets the role daybook_reader read, if it exists.
const granted = `
DO $do$ BEGIN
	IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'daybook_reader') THEN
		GRANT USAGE ON SCHEMA %[1]s TO daybook_reader;
		GRANT SELECT ON ALL TABLES IN SCHEMA %[1]s TO daybook_reader;
	END IF;
END $do$;
`

// replaced creates a view, or replaces it. Its grants are lost if its columns have changed; what somebody has made of it is not.
const replaced = `DO $do$ DECLARE others text; BEGIN
	CREATE OR REPLACE %[2]s;
EXCEPTION WHEN invalid_table_definition THEN
	BEGIN
		DROP VIEW %[1]s;
	EXCEPTION WHEN dependent_objects_still_exist THEN
		GET STACKED DIAGNOSTICS others = PG_EXCEPTION_DETAIL;
		RAISE dependent_objects_still_exist USING MESSAGE = 'the columns of a view have changed, and something that Daybook did not make depends on it: drop that, and create it again once the view is new. ' || others;
	END;
	CREATE %[2]s;
END $do$;
`

// seen is how the comment on the schema begins.
const seen = "Views for dashboards of the read models in schema "

// comment is the comment on the schema that dashboards read. It names the generation whose rows they see.
func (p postgres) comment() string {
	return seen + p.schema + ". A rebuild replaces them. They contain names, addresses and messages."
}

// found asks for the views and tables that are in the schema, and which of them are Daybook's: a view that has a comment and shows a
// table of its own name in a generation.
const found = `
SELECT relname, relkind = 'v' AND obj_description(c.oid, 'pg_class') IS NOT NULL AND EXISTS (
	SELECT FROM pg_rewrite AS r JOIN pg_depend AS d ON d.objid = r.oid JOIN pg_class AS t ON t.oid = d.refobjid JOIN pg_namespace AS n ON n.oid = t.relnamespace
	WHERE r.ev_class = c.oid AND d.classid = 'pg_rewrite'::regclass AND d.refclassid = 'pg_class'::regclass AND t.relname = c.relname AND starts_with(n.nspname, $2)) AS ours
FROM pg_class AS c WHERE relnamespace = to_regnamespace($1) AND relkind IN ('r', 'p', 'v', 'm', 'f', 'S') ORDER BY relname`

// publish shows the tables, unless dashboards see this generation already. Replacing a view waits for those who read it, and makes later
// readers wait: so the lock timeout is short. What Daybook did not make is not touched. The script is run as it is, not by a block of
// PL/pgSQL, whose errors would repeat it: the driver reads none over 30 kB.
func (p postgres) publish(tables []*Relation) func(Tx) error {
	return func(tx Tx) error {
		within := tx.(postgresTx)
		if _, err := within.tx.ExecContext(within.ctx, "SET LOCAL lock_timeout = '200ms'; SELECT pg_advisory_xact_lock(hashtext('reporting'))"); err != nil {
			return err
		}
		var said sql.NullString
		if err := within.tx.QueryRowContext(within.ctx, "SELECT obj_description(to_regnamespace($1), 'pg_namespace')", pq.QuoteIdentifier(p.views)).Scan(&said); err != nil || said.String == p.comment() {
			return err
		}
		stale, err := p.stale(within, tables, strings.HasPrefix(said.String, seen))
		if err != nil {
			return err
		}
		_, err = within.tx.ExecContext(within.ctx, stale+p.script(tables))
		return err
	}
}

// stale is the SQL that removes Daybook's views of tables that are no more. It fails if what somebody else made is in the way.
func (p postgres) stale(within postgresTx, tables []*Relation, made bool) (script string, err error) {
	there, err := within.tx.QueryContext(within.ctx, found, pq.QuoteIdentifier(p.views), p.channel+"_")
	if err != nil {
		return "", err
	}
	defer there.Close()
	var others []string
	for there.Next() {
		var name string
		var ours bool
		if err := there.Scan(&name, &ours); err != nil {
			return "", err
		}
		wanted := slices.ContainsFunc(tables, func(r *Relation) bool { return r.Name == name })
		if !ours && (wanted || !made) {
			others = append(others, name)
		}
		if ours && !wanted {
			script += fmt.Sprintf("DROP VIEW %s.%s;\n", pq.QuoteIdentifier(p.views), quoted(name))
		}
	}
	if others != nil {
		return "", fmt.Errorf("the schema %s has what Daybook did not make (%s), and is left as it is: give the views of Daybook another schema with --reporting", p.views, strings.Join(others, ", "))
	}
	return script, there.Err()
}

// script is the SQL that makes the views.
func (p postgres) script(tables []*Relation) string {
	schema := pq.QuoteIdentifier(p.views)
	var script strings.Builder
	fmt.Fprintf(&script, reporting, pq.QuoteLiteral(schema), schema, pq.QuoteLiteral(p.comment()))
	for _, r := range tables {
		view := schema + "." + quoted(r.Name)
		columns := make([]string, len(r.Columns))
		for i, c := range r.Columns {
			columns[i] = quoted(c.Name)
			switch c.Kind {
			case Moment:
				columns[i] = fmt.Sprintf("to_timestamp(%[1]s / 1000000.0) AS %[1]s", columns[i])
			case Day:
				columns[i] = fmt.Sprintf("%[1]s::date AS %[1]s", columns[i])
			}
		}
		fmt.Fprintf(&script, replaced, view, fmt.Sprintf("VIEW %s AS SELECT %s FROM %s", view, strings.Join(columns, ", "), quoted(r.Name)))
		fmt.Fprintf(&script, "COMMENT ON VIEW %s IS %s;\n", view, pq.QuoteLiteral(cmp.Or(r.Comment, "Made by Daybook.")))
		for _, c := range r.Columns {
			fmt.Fprintf(&script, "COMMENT ON COLUMN %s.%s IS %s;\n", view, quoted(c.Name), pq.QuoteLiteral(c.Doc))
		}
	}
	fmt.Fprintf(&script, granted, schema)
	return script.String()
}

func (postgres) wayOut() string { return "drop that schema" }

// lasts is false: the connection may be broken.
func (postgres) lasts() bool { return false }

func (postgres) close() {}

func (p postgres) write(ctx context.Context, conn *sql.Conn, f func(Tx) error) error {
	return named(p.transact(ctx, conn, f))
}

// named wraps errors that callers tell apart in ErrGone and ErrBusy.
func named(err error) error {
	if isGone(err) {
		return fmt.Errorf("%w: %w", ErrGone, err)
	}
	if e, ok := errors.AsType[*pq.Error](err); ok && e.Code == "55P03" { // lock_not_available
		return fmt.Errorf("%w: %w", ErrBusy, err)
	}
	return err
}

// refused wraps an error of a statement in ErrRefused if the cause is a value: it is no text of the encoding, is out of range, breaks a
// constraint, or is too large for a row or an index. A key that is there already is another writer's, and no row's fault.
func refused(err error) error {
	e, ok := errors.AsType[*pq.Error](err)
	if !ok {
		return err
	}
	switch {
	case e.Code.Class() == "22", e.Code == "23502", e.Code == "23514", e.Code == "54000": // also null, check, too large
		return fmt.Errorf("%w: %w", ErrRefused, err)
	}
	return err
}

// isGone reports whether a table or schema does not exist.
func isGone(err error) bool {
	e, ok := errors.AsType[*pq.Error](err)
	return ok && (e.Code == "42P01" || e.Code == "3F000")
}

func (p postgres) transact(ctx context.Context, conn *sql.Conn, f func(Tx) error) error {
	tx, err := conn.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("%w: %w", errNotBegun, err)
	}
	defer tx.Rollback()
	if err := f(postgresTx{ctx, tx}); err != nil {
		return err
	}
	if _, err := tx.ExecContext(ctx, "NOTIFY "+pq.QuoteIdentifier(p.channel)); err != nil {
		return err
	}
	return tx.Commit()
}

type postgresTx struct {
	ctx context.Context
	tx  *sql.Tx
}

func (tx postgresTx) Load(r *Relation, keys iter.Seq[[]driver.Value], take func([]driver.Value) error) error {
	for arrays := range gathered(len(r.Key), keys) {
		if err := tx.load(r, arrays, take); err != nil {
			return fmt.Errorf("reading %s: %w", r.Name, refused(err))
		}
	}
	return nil
}

func (tx postgresTx) load(r *Relation, arrays []any, take func([]driver.Value) error) error {
	columns := make([]string, len(r.Columns))
	for i, c := range r.Columns {
		columns[i] = "t." + quoted(c.Name)
	}
	names := strings.Join(keyNames(r), ", ")
	rows, err := tx.tx.QueryContext(tx.ctx, fmt.Sprintf("SELECT %s FROM unnest(%s) AS k (%s) JOIN %s AS t USING (%s)",
		strings.Join(columns, ", "), arrayMarks(r, r.Key), names, quoted(r.Name), names), arrays...)
	if err != nil {
		return err
	}
	defer rows.Close()
	found, row := make([]any, len(r.Columns)), make([]driver.Value, len(r.Columns))
	places := make([]any, len(found))
	for i := range found {
		places[i] = &found[i]
	}
	for rows.Next() {
		if err := rows.Scan(places...); err != nil {
			return err
		}
		for i, value := range found {
			row[i] = value
		}
		if err := take(row); err != nil {
			return err
		}
	}
	return rows.Err()
}

func (tx postgresTx) Put(r *Relation, rows iter.Seq[[]driver.Value]) error {
	all := make([]int, len(r.Columns))
	var changes []string
	for i, c := range r.Columns {
		all[i] = i
		if !c.Key {
			changes = append(changes, fmt.Sprintf("%s = EXCLUDED.%s", quoted(c.Name), quoted(c.Name)))
		}
	}
	conflict := "NOTHING"
	if len(changes) > 0 {
		conflict = "UPDATE SET " + strings.Join(changes, ", ")
	}
	return tx.set("writing", r, all, rows, fmt.Sprintf("INSERT INTO %s (%s) SELECT * FROM unnest(%s) ON CONFLICT (%s) DO %s",
		quoted(r.Name), strings.Join(columnNames(r), ", "), arrayMarks(r, all), strings.Join(keyNames(r), ", "), conflict))
}

func (tx postgresTx) Delete(r *Relation, keys iter.Seq[[]driver.Value]) error {
	names := keyNames(r)
	same := make([]string, len(names))
	for i, name := range names {
		same[i] = fmt.Sprintf("t.%s = k.%s", name, name)
	}
	return tx.set("deleting from", r, r.Key, keys, fmt.Sprintf("DELETE FROM %s AS t USING unnest(%s) AS k (%s) WHERE %s",
		quoted(r.Name), arrayMarks(r, r.Key), strings.Join(names, ", "), strings.Join(same, " AND ")))
}

// set runs a statement for many rows at once.
func (tx postgresTx) set(doing string, r *Relation, columns []int, rows iter.Seq[[]driver.Value], statement string) error {
	for arrays := range gathered(len(columns), rows) {
		if _, err := tx.tx.ExecContext(tx.ctx, statement, arrays...); err != nil {
			return fmt.Errorf("%s %s: %w", doing, r.Name, refused(err))
		}
	}
	return nil
}

func (tx postgresTx) Exec(statement string, args ...driver.Value) (int64, error) {
	given := make([]any, len(args))
	for i, a := range args {
		given[i] = a
	}
	result, err := tx.tx.ExecContext(tx.ctx, sqlx.Rebind(sqlx.DOLLAR, statement), given...)
	if err != nil || len(args) == 0 {
		return 0, err
	}
	return result.RowsAffected()
}

// arrayMarks returns a placeholder for the array of each column.
func arrayMarks(r *Relation, columns []int) string {
	marks := make([]string, len(columns))
	for i, c := range columns {
		word, _, _ := strings.Cut(postgresWords[r.Columns[c].Kind], " COLLATE")
		marks[i] = fmt.Sprintf("$%d::%s[]", i+1, word)
	}
	return strings.Join(marks, ", ")
}

// statementBytes is how long the arrays of a statement may be together, or those of one row. The server takes 1 GiB, and this process and
// the server each have them in memory, several times.
const statementBytes = 16 << 20

// gathered yields an array of each column, in PostgreSQL's notation, of as many rows at a time as go into a statement.
func gathered(columns int, rows iter.Seq[[]driver.Value]) iter.Seq[[]any] {
	return func(yield func([]any) bool) {
		texts, size := make([][]byte, columns), 0
		arrays := func() (all []any) {
			for i, text := range texts {
				all = append(all, string(append(text, '}')))
				texts[i] = text[:0]
			}
			size = 0
			return all
		}
		for row := range rows {
			for i, value := range row {
				before := len(texts[i])
				if before == 0 {
					texts[i] = append(texts[i], '{')
				} else {
					texts[i] = append(texts[i], ',')
				}
				texts[i] = appendElement(texts[i], value)
				size += len(texts[i]) - before
			}
			if size >= statementBytes && !yield(arrays()) {
				return
			}
		}
		if size > 0 {
			yield(arrays())
		}
	}
}

// appendElement appends a value in the notation of an array's element.
func appendElement(b []byte, value driver.Value) []byte {
	switch v := value.(type) {
	case nil:
		return append(b, "NULL"...)
	case int64:
		return strconv.AppendInt(b, v, 10)
	case float64:
		return strconv.AppendFloat(b, v, 'g', -1, 64)
	case bool:
		return strconv.AppendBool(b, v)
	case []byte:
		return append(hex.AppendEncode(append(b, `"\\x`...), v), '"')
	}
	b = append(b, '"')
	for _, c := range []byte(fmt.Sprint(value)) {
		if c == '"' || c == '\\' {
			b = append(b, '\\')
		}
		b = append(b, c)
	}
	return append(b, '"')
}
