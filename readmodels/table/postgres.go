package table

import (
	"cmp"
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

	"daybook/internal/pgconn"
)

// Schemas are where the generations of one desk are kept in a PostgreSQL database, each in a schema "NAME_NUMBER". The schema
// "NAME" says who may post. It must not be behind a pooler that shares connections between transactions.
type Schemas struct {
	address *url.URL // of the database
	name    string
	lease   time.Duration
	control *sqlx.DB // for what is beside the generations: short questions
}

var _ Home = (*Schemas)(nil)

// SchemasOptions are how a desk's generations are kept. The zero value is right for a server.
type SchemasOptions struct {
	// Name is what the schemas are called, "readmodels" unless told.
	Name string
	// Lease is for how long who posts may be silent before somebody else may, 10 seconds unless told.
	Lease time.Duration
}

// readingSilence is how long a server may say nothing before a connection to it is given up.
const readingSilence = time.Minute

var (
	patiently = pgconn.Dialer{Limit: func() time.Duration { return readingSilence }}
	briskly   = pgconn.Dialer{Limit: func() time.Duration { return 5 * time.Second }} // where the lease hangs on it
)

// NewSchemas keeps generations in the database that a URL names (postgres://…, as lib/pq reads it). It does not connect yet.
func NewSchemas(database string, opts SchemasOptions) (*Schemas, error) {
	address, err := pgconn.Parse(database, nil)
	if err != nil {
		return nil, err
	}
	s := &Schemas{address: address, name: cmp.Or(opts.Name, "readmodels"), lease: cmp.Or(opts.Lease, 10*time.Second)}
	s.control, err = briskly.Open(address, 2, s.awake())
	return s, err
}

// Close implements Home.
func (s *Schemas) Close() error { return s.control.Close() }

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

// ensure makes what is beside the generations if need be.
func (s *Schemas) ensure(ctx context.Context) error {
	var there bool
	err := s.control.GetContext(ctx, &there, "SELECT num_nulls(to_regclass($1), to_regclass($2)) = 0", s.quoted()+".numbers", s.quoted()+".terms")
	if err == nil && !there {
		_, err = s.control.ExecContext(ctx, fmt.Sprintf(control, s.quoted()))
	}
	if err != nil {
		return fmt.Errorf("open the read models in PostgreSQL: %w", err)
	}
	return nil
}

// quoted is the name as it stands in a statement.
func (s *Schemas) quoted() string { return pq.QuoteIdentifier(s.name) }

// Generations implements Home.
func (s *Schemas) Generations(ctx context.Context) ([]Generation, error) {
	for {
		if err := s.ensure(ctx); err != nil {
			return nil, err
		}
		all, err := s.generations(ctx)
		if !isGone(err) { // else one was removed between the two questions
			return all, err
		}
	}
}

func (s *Schemas) generations(ctx context.Context) ([]Generation, error) {
	var schemas []string
	err := s.control.SelectContext(ctx, &schemas, `SELECT nspname FROM pg_namespace AS n JOIN pg_class AS c ON c.relnamespace = n.oid
		WHERE starts_with(nspname, $1) AND relname = 'generation'`, s.name+"_")
	if err != nil {
		return nil, err
	}
	var each []string
	for _, schema := range schemas {
		if n, err := strconv.Atoi(strings.TrimPrefix(schema, s.name+"_")); err == nil && schema == s.schema(n) {
			each = append(each, fmt.Sprintf("SELECT number, schema, log_id, state FROM %s.generation", pq.QuoteIdentifier(schema)))
		}
	}
	if each == nil {
		return nil, nil
	}
	var all []Generation
	err = s.control.SelectContext(ctx, &all, fmt.Sprintf("SELECT g.*, coalesce(until > clock_timestamp(), false) AS held FROM (%s) AS g LEFT JOIN %s.terms USING (schema) ORDER BY number",
		strings.Join(each, " UNION ALL "), s.quoted()))
	return all, err
}

// Create implements Home. The schema is made when the tables are laid.
func (s *Schemas) Create(ctx context.Context) (*DB, int, error) {
	number, err := s.number(ctx)
	if err != nil {
		return nil, 0, err
	}
	db, err := s.Open(ctx, number)
	return db, number, err
}

// number is the next, after all there are, also if they are older than the sequence.
func (s *Schemas) number(ctx context.Context) (number int, err error) {
	all, err := s.Generations(ctx)
	for last := len(all); err == nil && (number == 0 || last > 0 && number <= all[last-1].Number); {
		err = s.control.GetContext(ctx, &number, "SELECT nextval($1)", s.quoted()+".numbers")
	}
	return number, err
}

// remove drops a schema, unless dashboards still look at it: with it would go what was granted on their views.
const remove = `
SET LOCAL lock_timeout = '1s';
DO $remove$ BEGIN
	IF obj_description(to_regnamespace('reporting'), 'pg_namespace') = %s THEN
		RAISE lock_not_available USING MESSAGE = 'dashboards still see this generation';
	END IF;
	DROP SCHEMA IF EXISTS %s CASCADE;
END $remove$;
`

// Remove implements Home.
func (s *Schemas) Remove(ctx context.Context, term Term, number int) error {
	p := s.dialect(number)
	db, err := patiently.Open(s.address, 1, s.awake()) // to drop much takes its time
	if err != nil {
		return err
	}
	defer db.Close()
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	if _, err := tx.ExecContext(ctx, fmt.Sprintf(remove, p.comment(), pq.QuoteIdentifier(p.schema))); err != nil {
		return named(err)
	}
	if err := term.Prove(postgresTx{ctx, tx}); err != nil {
		return err
	}
	return tx.Commit()
}

func (s *Schemas) schema(number int) string { return s.name + "_" + strconv.Itoa(number) }

func (s *Schemas) dialect(number int) postgres { return postgres{s.name, s.schema(number)} }

// Open implements Home.
func (s *Schemas) Open(ctx context.Context, number int) (*DB, error) {
	db, err := s.OpenReadOnly(ctx, number)
	if err != nil {
		return nil, err
	}
	dialer := pgconn.Dialer{Limit: func() time.Duration {
		if db.indexing.Load() {
			return 0
		}
		return readingSilence
	}}
	writer, err := dialer.Open(s.address, 1, s.within(number), writing, s.awake())
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	db.writer, db.conn = writer.DB, make(chan *sql.Conn, 1)
	db.conn <- nil
	return db, nil
}

// OpenReadOnly implements Home.
func (s *Schemas) OpenReadOnly(ctx context.Context, number int) (*DB, error) {
	readers, err := patiently.Open(s.address, 8, s.within(number), map[string]string{"default_transaction_read_only": "on"})
	if err != nil {
		return nil, err
	}
	if err := readers.PingContext(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("open the read models in PostgreSQL: %w", err), readers.Close())
	}
	none := make(chan *sql.Conn)
	close(none)
	return &DB{Readers: readers, dialect: s.dialect(number), conn: none, path: "schema " + s.schema(number)}, nil
}

// within are the settings that find the tables of a generation.
func (s *Schemas) within(number int) map[string]string {
	return map[string]string{"search_path": pq.QuoteIdentifier(s.schema(number))}
}

// shortestSleep is for how long, at least, a transaction may be left alone. It is a variable for the tests' sake.
var shortestSleep = 5 * time.Second

// awake are settings that end a transaction whose process fell asleep in it: by when its lease has run out, nobody waits for what
// it holds. And who waits for something is told no before he leaves, lest the server wait on for him.
func (s *Schemas) awake() map[string]string {
	sleep := max(s.lease, shortestSleep)
	return map[string]string{"idle_in_transaction_session_timeout": strconv.FormatInt(sleep.Milliseconds(), 10), "lock_timeout": "4s"}
}

// writing are the writer's settings. Rows are found by their keys, which nobody has counted while a table is filled; what has no
// key seems costly then, but is not worth compiling.
var writing = map[string]string{"enable_seqscan": "off", "enable_hashjoin": "off", "enable_mergejoin": "off", "jit": "off"}

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

// comment says of the schema that dashboards read whose rows they see.
func (p postgres) comment() string {
	return pq.QuoteLiteral("The desk for dashboards: what Daybook posted last, replaced at every rebuild; now it is " + p.schema + ". Names, addresses and words of people are in it.")
}

func (p postgres) publish(tables []*Relation) string {
	var script strings.Builder
	fmt.Fprintf(&script, reporting, p.comment())
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
	return fmt.Sprintf(unlessPublished, p.comment(), script.String())
}

// unlessPublished runs a script unless dashboards see this generation already. To replace a view is to wait for who reads it,
// and whoever wants to read it meanwhile waits too: so not for long.
const unlessPublished = `
SET LOCAL lock_timeout = '200ms';
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
	return named(p.transact(ctx, conn, f))
}

// named gives errors that others tell apart their names.
func named(err error) error {
	if isGone(err) {
		return fmt.Errorf("%w: %w", ErrGone, err)
	}
	if e, ok := errors.AsType[*pq.Error](err); ok && e.Code == "55P03" { // lock_not_available
		return fmt.Errorf("%w: %w", ErrBusy, err)
	}
	return err
}

// isGone says whether a table or schema was not there.
func isGone(err error) bool {
	e, ok := errors.AsType[*pq.Error](err)
	return ok && (e.Code == "42P01" || e.Code == "3F000")
}

func (p postgres) transact(ctx context.Context, conn *sql.Conn, f func(Tx) error) error {
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
