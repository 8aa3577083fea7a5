package readmodels

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"iter"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/jmoiron/sqlx"
	"github.com/lib/pq"
)

// Schemas are where the generations of one desk are kept in a PostgreSQL database, each in a schema "NAME_NUMBER". The schema
// "NAME" says who may post. It must not be behind a pooler that shares connections between transactions.
type Schemas struct {
	URL   string // of the database, as lib/pq reads it
	Name  string
	Lease time.Duration // how long who posts may be silent before somebody else may; 0 stands for 10 seconds
}

var _ Home = Schemas{}

// control are the tables beside the generations. Numbers are never used again, so that whoever slept while building a
// generation does not wake up in another's.
const control = `
SELECT pg_advisory_xact_lock(hashtext('%[1]s'));
CREATE SCHEMA IF NOT EXISTS %[1]s;
CREATE TABLE IF NOT EXISTS %[1]s.terms (
	schema TEXT        NOT NULL PRIMARY KEY,
	holder TEXT        NOT NULL,
	until  TIMESTAMPTZ NOT NULL
);
CREATE SEQUENCE IF NOT EXISTS %[1]s.numbers;
`

// name is the schema's and the channel's, quoted.
func (s Schemas) name() string { return pq.QuoteIdentifier(s.Name) }

// Generations implements Home.
func (s Schemas) Generations(ctx context.Context) ([]Generation, error) {
	db, err := s.control(ctx)
	if err != nil {
		return nil, err
	}
	defer db.Close()
	return s.generations(ctx, db)
}

func (s Schemas) generations(ctx context.Context, db *sqlx.DB) ([]Generation, error) {
	var schemas []string
	err := db.SelectContext(ctx, &schemas, `SELECT nspname FROM pg_namespace AS n JOIN pg_class AS c ON c.relnamespace = n.oid
		WHERE starts_with(nspname, $1) AND relname = 'generation'`, s.Name+"_")
	if err != nil {
		return nil, err
	}
	var each []string
	for _, schema := range schemas {
		if n, err := strconv.Atoi(strings.TrimPrefix(schema, s.Name+"_")); err == nil && schema == s.schema(n) {
			each = append(each, fmt.Sprintf("SELECT number, schema, log_id, state FROM %s.generation", pq.QuoteIdentifier(schema)))
		}
	}
	if each == nil {
		return nil, nil
	}
	var all []Generation
	err = db.SelectContext(ctx, &all, fmt.Sprintf("SELECT g.*, coalesce(until > clock_timestamp(), false) AS held FROM (%s) AS g LEFT JOIN %s.terms USING (schema) ORDER BY number",
		strings.Join(each, " UNION ALL "), s.name()))
	return all, err
}

// Create implements Home. The schema is made when the tables are laid.
func (s Schemas) Create(ctx context.Context) (*DB, int, error) {
	number, err := s.number(ctx)
	if err != nil {
		return nil, 0, err
	}
	db, err := s.Open(ctx, number)
	return db, number, err
}

// number is the next, after all there are, also if they are older than the sequence.
func (s Schemas) number(ctx context.Context) (number int, err error) {
	db, err := s.control(ctx)
	if err != nil {
		return 0, err
	}
	defer db.Close()
	all, err := s.generations(ctx, db)
	for last := len(all); err == nil && (number == 0 || last > 0 && number <= all[last-1].Number); {
		err = db.GetContext(ctx, &number, "SELECT nextval($1)", s.name()+".numbers")
	}
	return number, err
}

// Remove implements Home.
func (s Schemas) Remove(ctx context.Context, number int) error {
	db, err := s.control(ctx)
	if err != nil {
		return err
	}
	defer db.Close()
	_, err = db.ExecContext(ctx, "DROP SCHEMA IF EXISTS "+pq.QuoteIdentifier(s.schema(number))+" CASCADE")
	return err
}

func (s Schemas) schema(number int) string { return s.Name + "_" + strconv.Itoa(number) }

// control connects to what is beside the generations, and makes it if need be.
func (s Schemas) control(ctx context.Context) (*sqlx.DB, error) {
	db, err := s.connect(ctx, 1)
	if err != nil {
		return nil, err
	}
	var there bool
	err = db.GetContext(ctx, &there, "SELECT to_regclass($1) IS NOT NULL", s.name()+".numbers")
	if err == nil && !there {
		_, err = db.ExecContext(ctx, fmt.Sprintf(control, s.name()))
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open the read models in PostgreSQL: %w", err), db.Close())
	}
	return db, nil
}

// connect opens up to so many connections with some settings.
func (s Schemas) connect(ctx context.Context, connections int, settings ...map[string]string) (*sqlx.DB, error) {
	u, err := url.Parse(s.URL)
	if err != nil {
		return nil, fmt.Errorf("the read models' database: %w", err)
	}
	options := u.Query()
	if !options.Has("connect_timeout") {
		options.Set("connect_timeout", "5")
	}
	for _, some := range settings {
		for name, value := range some {
			options.Set(name, value)
		}
	}
	u.RawQuery = options.Encode()
	db, err := sqlx.ConnectContext(ctx, "postgres", u.String())
	if err != nil {
		return nil, fmt.Errorf("open the read models in PostgreSQL: %w", err)
	}
	db.SetMaxOpenConns(connections)
	db.SetMaxIdleConns(connections)
	return db, nil
}

// Open implements Home.
func (s Schemas) Open(ctx context.Context, number int) (*DB, error) {
	db, err := s.OpenReadOnly(ctx, number)
	if err != nil {
		return nil, err
	}
	writer, err := s.connect(ctx, 1, s.within(number), writing)
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	db.writer, db.conn = writer.DB, make(chan *sql.Conn, 1)
	db.conn <- nil
	return db, nil
}

// OpenReadOnly implements Home.
func (s Schemas) OpenReadOnly(ctx context.Context, number int) (*DB, error) {
	readers, err := s.connect(ctx, 8, s.within(number), map[string]string{"default_transaction_read_only": "on"})
	if err != nil {
		return nil, err
	}
	none := make(chan *sql.Conn)
	close(none)
	return &DB{Readers: readers, dialect: postgres{s.Name, s.schema(number)}, conn: none, path: "schema " + s.schema(number)}, nil
}

// within are the settings that find the tables of a generation.
func (s Schemas) within(number int) map[string]string {
	return map[string]string{"search_path": pq.QuoteIdentifier(s.schema(number))}
}

// writing are the writer's settings. What a crash takes back is posted again, so no commit waits for the disk. Rows are found by
// their keys, which nobody has counted while a table is filled; what has no key seems costly then, but is not worth compiling.
var writing = map[string]string{"synchronous_commit": "off", "enable_seqscan": "off", "enable_hashjoin": "off", "enable_mergejoin": "off", "jit": "off"}

// postgres is the dialect of PostgreSQL: one statement a table, whatever the number of rows.
type postgres struct {
	channel string // that is notified of every commit
	schema  string
}

var postgresWords = [...]string{Text: `text COLLATE "C"`, Integer: "bigint", Moment: "bigint", Real: "double precision", Boolean: "boolean"}

func (postgres) createTable(r *Relation) string { return createTable(r, postgresWords[:]) }

func (p postgres) beforeTables() string {
	return "CREATE SCHEMA " + pq.QuoteIdentifier(p.schema) + ";\n"
}

func (postgres) beforeIndexes() string { return "" }

// afterIndexes counts the rows of these tables, and not of what else is in the database.
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

// reporting is the schema that dashboards read: a view of each table, under the same name in every generation, with comments.
// A view is replaced in place, so that what was granted on it stays, unless its columns are others now.
const reporting = `
CREATE SCHEMA IF NOT EXISTS reporting;
COMMENT ON SCHEMA reporting IS %[1]s;
DO $do$ BEGIN
	CREATE ROLE daybook_reader NOLOGIN;
EXCEPTION WHEN duplicate_object OR unique_violation OR insufficient_privilege THEN NULL; -- an administrator may make it
END $do$;
`

// granted lets the role read, if there is one.
const granted = `
DO $do$ BEGIN
	IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'daybook_reader') THEN
		GRANT USAGE ON SCHEMA reporting TO daybook_reader;
		GRANT SELECT ON ALL TABLES IN SCHEMA reporting TO daybook_reader;
	END IF;
END $do$;
`

func (p postgres) publish(tables []*Relation) string {
	comment := pq.QuoteLiteral("The desk for dashboards: what Daybook posted last, replaced at every rebuild; now it is " + p.schema + ". Names, addresses and words of people are in it.")
	var script strings.Builder
	fmt.Fprintf(&script, reporting, comment)
	for _, r := range tables {
		view := "reporting." + quoted(r.Name)
		columns := make([]string, len(r.Columns))
		for i, c := range r.Columns {
			columns[i] = quoted(c.Name)
			if c.Kind == Moment {
				columns[i] = fmt.Sprintf("to_timestamp(%[1]s / 1000000.0) AS %[1]s", columns[i])
			}
		}
		as := fmt.Sprintf("VIEW %s AS SELECT %s FROM %s", view, strings.Join(columns, ", "), quoted(r.Name))
		fmt.Fprintf(&script, "DO $do$ BEGIN\n\tCREATE OR REPLACE %s;\nEXCEPTION WHEN invalid_table_definition THEN\n\tDROP VIEW %s CASCADE;\n\tCREATE %s;\nEND $do$;\n", as, view, as)
		fmt.Fprintf(&script, "COMMENT ON VIEW %s IS %s;\n", view, pq.QuoteLiteral(r.Comment))
		for _, c := range r.Columns {
			fmt.Fprintf(&script, "COMMENT ON COLUMN %s.%s IS %s;\n", view, quoted(c.Name), pq.QuoteLiteral(c.Doc))
		}
	}
	script.WriteString(granted)
	return fmt.Sprintf(unlessPublished, comment, script.String())
}

// unlessPublished runs a script unless dashboards see this generation already: to replace a view is to wait for who reads it.
const unlessPublished = `
DO $publish$ BEGIN
	PERFORM pg_advisory_xact_lock(hashtext('reporting'));
	IF obj_description(to_regnamespace('reporting'), 'pg_namespace') IS DISTINCT FROM %s THEN
		EXECUTE $script$ %s $script$;
	END IF;
END $publish$;
`

func (postgres) wayOut() string { return "drop that schema" }

// lasts: it may have been cut.
func (postgres) lasts() bool { return false }

func (postgres) close() {}

func (p postgres) write(ctx context.Context, conn *sql.Conn, f func(Tx) error) error {
	tx, err := conn.BeginTx(ctx, nil)
	if err != nil {
		return err
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
	arrays, n := gather(len(r.Key), keys)
	if n == 0 {
		return nil
	}
	columns := make([]string, len(r.Columns))
	for i, c := range r.Columns {
		columns[i] = "t." + quoted(c.Name)
	}
	names := strings.Join(keyNames(r), ", ")
	rows, err := tx.tx.QueryContext(tx.ctx, fmt.Sprintf("SELECT %s FROM unnest(%s) AS k (%s) JOIN %s AS t USING (%s)",
		strings.Join(columns, ", "), arrayMarks(r, r.Key), names, quoted(r.Name), names), arrays...)
	if err != nil {
		return fmt.Errorf("reading %s: %w", r.Name, err)
	}
	defer rows.Close()
	found, row := make([]any, len(r.Columns)), make([]driver.Value, len(r.Columns))
	places := make([]any, len(found))
	for i := range found {
		places[i] = &found[i]
	}
	for rows.Next() {
		if err := rows.Scan(places...); err != nil {
			return fmt.Errorf("reading %s: %w", r.Name, err)
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
	arrays, n := gather(len(columns), rows)
	if n == 0 {
		return nil
	}
	if _, err := tx.tx.ExecContext(tx.ctx, statement, arrays...); err != nil {
		return fmt.Errorf("%s %s: %w", doing, r.Name, err)
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

// arrayMarks are placeholders for an array for each of some columns.
func arrayMarks(r *Relation, columns []int) string {
	marks := make([]string, len(columns))
	for i, c := range columns {
		word, _, _ := strings.Cut(postgresWords[r.Columns[c].Kind], " COLLATE")
		marks[i] = fmt.Sprintf("$%d::%s[]", i+1, word)
	}
	return strings.Join(marks, ", ")
}

// gather makes an array of each column, as PostgreSQL writes arrays, and counts the rows.
func gather(columns int, rows iter.Seq[[]driver.Value]) (arrays []any, n int) {
	texts := make([][]byte, columns)
	for i := range texts {
		texts[i] = append(texts[i], '{')
	}
	for row := range rows {
		for i, value := range row {
			if n > 0 {
				texts[i] = append(texts[i], ',')
			}
			texts[i] = appendElement(texts[i], value)
		}
		n++
	}
	for _, text := range texts {
		arrays = append(arrays, string(append(text, '}')))
	}
	return arrays, n
}

// appendElement writes a value as an element of an array.
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
