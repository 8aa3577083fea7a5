package readmodels

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"iter"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/jmoiron/sqlx"
	"github.com/lib/pq"
)

// Schemas are where the generations of one desk are kept in a PostgreSQL database, each in a schema "NAME_NUMBER". The newest
// that is ready is the live one.
type Schemas struct {
	URL  string // of the database, as lib/pq reads it
	Name string
}

// Live implements Home.
func (s Schemas) Live(ctx context.Context) (*DB, Generation, error) {
	numbers, err := s.Numbers(ctx)
	for _, n := range slices.Backward(numbers) {
		db, g, err := s.ready(ctx, n, true)
		if db != nil || err != nil {
			return db, g, err
		}
		if err := s.Remove(ctx, n); err != nil {
			return nil, g, err
		}
	}
	return nil, Generation{}, err
}

// OpenLive implements Home.
func (s Schemas) OpenLive(ctx context.Context) (*DB, error) {
	numbers, err := s.Numbers(ctx)
	for _, n := range slices.Backward(numbers) {
		if db, _, err := s.ready(ctx, n, false); db != nil || err != nil {
			return db, err
		}
	}
	return nil, err
}

// ready opens a generation, or returns nil if it is not ready.
func (s Schemas) ready(ctx context.Context, number int, writable bool) (*DB, Generation, error) {
	db, err := s.open(ctx, number, writable)
	if err != nil {
		return nil, Generation{}, err
	}
	g, err := db.generation(ctx)
	if err != nil || g.State != Ready {
		return nil, g, errors.Join(err, db.Close())
	}
	return db, g, nil
}

// generation says what a database holds; nothing, if it has no tables.
func (db *DB) generation(ctx context.Context) (Generation, error) {
	g, err := ReadGeneration(ctx, db.Readers)
	if e, ok := errors.AsType[*pq.Error](err); ok && e.Code == "42P01" {
		return g, nil
	}
	return g, err
}

// Create implements Home.
func (s Schemas) Create(ctx context.Context) (*DB, int, error) {
	numbers, err := s.Numbers(ctx)
	if err != nil {
		return nil, 0, err
	}
	number := next(numbers)
	if err := s.execute(ctx, "CREATE SCHEMA "+pq.QuoteIdentifier(s.schema(number))); err != nil {
		return nil, 0, err
	}
	db, err := s.open(ctx, number, true)
	return db, number, err
}

// Remove implements Home.
func (s Schemas) Remove(ctx context.Context, number int) error {
	return s.execute(ctx, "DROP SCHEMA IF EXISTS "+pq.QuoteIdentifier(s.schema(number))+" CASCADE")
}

func (s Schemas) schema(number int) string { return s.Name + "_" + strconv.Itoa(number) }

// Numbers implements Home.
func (s Schemas) Numbers(ctx context.Context) ([]int, error) {
	db, err := sqlx.ConnectContext(ctx, "postgres", s.URL)
	if err != nil {
		return nil, err
	}
	defer db.Close()
	var names []string
	if err := db.SelectContext(ctx, &names, "SELECT nspname FROM pg_namespace WHERE starts_with(nspname, $1)", s.Name+"_"); err != nil {
		return nil, err
	}
	var numbers []int
	for _, name := range names {
		if n, err := strconv.Atoi(strings.TrimPrefix(name, s.Name+"_")); err == nil && name == s.schema(n) {
			numbers = append(numbers, n)
		}
	}
	slices.Sort(numbers)
	return numbers, nil
}

func (s Schemas) execute(ctx context.Context, statement string) error {
	db, err := sqlx.ConnectContext(ctx, "postgres", s.URL)
	if err != nil {
		return err
	}
	defer db.Close()
	_, err = db.ExecContext(ctx, statement)
	return err
}

// open opens the database of a generation, for its writer too or for its readers only.
func (s Schemas) open(ctx context.Context, number int, writable bool) (*DB, error) {
	u, err := url.Parse(s.URL)
	if err != nil {
		return nil, fmt.Errorf("the read models' database: %w", err)
	}
	options := u.Query()
	options.Set("search_path", pq.QuoteIdentifier(s.schema(number)))
	connect := func(n int) (*sqlx.DB, error) {
		u.RawQuery = options.Encode()
		db, err := sqlx.ConnectContext(ctx, "postgres", u.String())
		if err != nil {
			return nil, fmt.Errorf("open the read models in PostgreSQL: %w", err)
		}
		db.SetMaxOpenConns(n)
		db.SetMaxIdleConns(n)
		return db, nil
	}
	db := &DB{dialect: postgres{}, conn: make(chan *sql.Conn, 1), path: "schema " + s.schema(number)}
	if !writable {
		close(db.conn)
	} else {
		// What a crash takes back is posted again, so no commit waits for the disk. Rows are found by their keys, which nobody
		// has counted while a table is filled.
		for option, value := range writing {
			options.Set(option, value)
		}
		writer, err := connect(1)
		if err != nil {
			return nil, err
		}
		db.writer = writer.DB
		db.conn <- nil
		for option := range writing {
			options.Del(option)
		}
	}
	options.Set("default_transaction_read_only", "on")
	if db.Readers, err = connect(8); err != nil {
		return nil, errors.Join(err, db.closeWriter())
	}
	return db, nil
}

// writing are the writer's settings.
var writing = map[string]string{"synchronous_commit": "off", "enable_seqscan": "off", "enable_hashjoin": "off", "enable_mergejoin": "off"}

// postgres is the dialect of PostgreSQL: one statement a table, whatever the number of rows.
type postgres struct{}

var postgresWords = [...]string{Text: `text COLLATE "C"`, Integer: "bigint", Moment: "bigint", Real: "double precision", Boolean: "boolean"}

func (postgres) createTable(r *Relation) string { return createTable(r, postgresWords[:]) }

func (postgres) beforeIndexes() string { return "" }
func (postgres) afterIndexes() string  { return "ANALYZE;\n" }

func (postgres) snapshot() *sql.TxOptions {
	return &sql.TxOptions{Isolation: sql.LevelRepeatableRead, ReadOnly: true}
}

// reporting is the schema that dashboards read: a view of each table, under the same name in every generation, with comments.
// A view is replaced in place, so that what was granted on it stays, unless its columns are others now.
const reporting = `
SELECT pg_advisory_xact_lock(hashtext('reporting'));
CREATE SCHEMA IF NOT EXISTS reporting;
COMMENT ON SCHEMA reporting IS 'The desk for dashboards: what Daybook posted last, replaced at every rebuild. Names, addresses and words of people are in it.';
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

func (postgres) publish(tables []*Relation) string {
	var script strings.Builder
	script.WriteString(reporting)
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
	return script.String()
}

func (postgres) wayOut() string { return "drop that schema" }

// lasts: it may have been cut.
func (postgres) lasts() bool { return false }

func (postgres) close() {}

func (postgres) write(ctx context.Context, conn *sql.Conn, f func(Tx) error) error {
	tx, err := conn.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	if err := f(postgresTx{ctx, tx}); err != nil {
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
