package table

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	"github.com/jmoiron/sqlx"
	"github.com/lib/pq"

	"daybook/internal/pgconn"
)

// Schemas keeps the generations of one desk in a PostgreSQL database, each in a schema "NAME_NUMBER". The schema "NAME" holds the
// leases. Do not connect through a pooler that shares connections between transactions.
type Schemas struct {
	address *url.URL // of the database
	name    string
	views   string // the schema that dashboards read
	lease   time.Duration
	control *sqlx.DB // for short queries outside the generations
	proved  atomic.Bool
}

var _ Home = (*Schemas)(nil)

// SchemasOptions are how a desk's generations are kept. The zero value is right for a server.
type SchemasOptions struct {
	// Name is the prefix of the schemas, default "readmodels".
	Name string
	// Reporting is the schema of the views that dashboards read, default "reporting".
	Reporting string
	// Lease is how long the process that projects may be silent before another takes over, default 10 s.
	Lease time.Duration
}

// readingSilence is how long a server may be silent before a connection to it is given up.
const readingSilence = time.Minute

var (
	patiently = pgconn.Dialer{Limit: func() time.Duration { return readingSilence }}
	briskly   = pgconn.Dialer{Limit: func() time.Duration { return 5 * time.Second }} // for the lease
)

// NewSchemas returns a Home in the database of a URL (postgres://…, as lib/pq reads it). It does not connect yet.
func NewSchemas(database string, opts SchemasOptions) (*Schemas, error) {
	address, err := pgconn.Parse(database)
	if err != nil {
		return nil, err
	}
	s := &Schemas{address: address, name: cmp.Or(opts.Name, "readmodels"), views: cmp.Or(opts.Reporting, "reporting"), lease: cmp.Or(opts.Lease, 10*time.Second)}
	s.control, err = briskly.Open(address, 2, s.awake())
	return s, err
}

// Close implements Home.
func (s *Schemas) Close() error { return s.control.Close() }

// control creates the tables beside the generations. Numbers are never used again, so that a process that was suspended while
// building a generation does not continue in another's.
const control = `
SELECT pg_advisory_xact_lock(hashtext('%[1]s'));
DO $do$ BEGIN
	IF to_regnamespace('%[1]s') IS NULL THEN
		CREATE SCHEMA %[1]s;
	END IF;
END $do$;
CREATE TABLE IF NOT EXISTS %[1]s.terms (
	schema TEXT COLLATE "C" NOT NULL PRIMARY KEY,
	holder TEXT             NOT NULL,
	until  TIMESTAMPTZ      NOT NULL
);
ALTER TABLE %[1]s.terms ADD COLUMN IF NOT EXISTS since TIMESTAMPTZ; -- of a version that does not know it: null
CREATE SEQUENCE IF NOT EXISTS %[1]s.numbers;
`

// ensure creates what is beside the generations if it is missing. What is there needs no right to create.
func (s *Schemas) ensure(ctx context.Context) error {
	err := s.Prove(ctx)
	if err != nil {
		return err
	}
	var there bool
	err = s.control.GetContext(ctx, &there, `SELECT to_regclass($1) IS NOT NULL AND
		EXISTS (SELECT FROM pg_attribute WHERE attrelid = to_regclass($2) AND attname = 'since')`, s.quoted()+".numbers", s.quoted()+".terms")
	if err == nil && !there {
		_, err = s.control.ExecContext(ctx, fmt.Sprintf(control, s.quoted()))
	}
	if err != nil {
		return fmt.Errorf("opening the read models in PostgreSQL: %w", pgconn.Explain(err))
	}
	return nil
}

// Prove returns a *pgconn.UnfitError if Daybook cannot rely on the database. Whatever else it returns may pass.
func (s *Schemas) Prove(ctx context.Context) error {
	if s.proved.Load() {
		return nil
	}
	if err := briskly.Prove(ctx, s.address); err != nil {
		return fmt.Errorf("opening the read models in PostgreSQL: %w", err)
	}
	s.proved.Store(true)
	return nil
}

// quoted is the name as an SQL identifier.
func (s *Schemas) quoted() string { return pq.QuoteIdentifier(s.name) }

// Generations implements Home.
func (s *Schemas) Generations(ctx context.Context) ([]Generation, error) {
	for {
		if err := s.ensure(ctx); err != nil {
			return nil, err
		}
		all, err := s.generations(ctx)
		if !isGone(err) { // otherwise one was removed between the two queries
			return all, pgconn.Explain(err)
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
	err = s.control.SelectContext(ctx, &all, fmt.Sprintf("SELECT g.*, coalesce(until > clock_timestamp() AND (since > clock_timestamp()) IS NOT TRUE, false) AS held FROM (%s) AS g LEFT JOIN %s.terms USING (schema) ORDER BY number",
		strings.Join(each, " UNION ALL "), s.quoted()))
	return all, err
}

// Create implements Home. Lay creates the schema.
func (s *Schemas) Create(ctx context.Context) (*DB, int, error) {
	number, err := s.number(ctx)
	if err != nil {
		return nil, 0, err
	}
	db, err := s.Open(ctx, number)
	return db, number, err
}

// number returns the next generation's number, greater than all existing ones, even if they are older than the sequence.
func (s *Schemas) number(ctx context.Context) (number int, err error) {
	all, err := s.Generations(ctx)
	for last := len(all); err == nil && (number == 0 || last > 0 && number <= all[last-1].Number); {
		err = s.control.GetContext(ctx, &number, "SELECT nextval($1)", s.quoted()+".numbers")
	}
	return number, err
}

// remove drops a schema, unless dashboards still see it: dropping its views would lose their grants. What somebody else has made in it,
// or of it, is not dropped either.
const remove = `
SET LOCAL lock_timeout = '1s';
DO $remove$ DECLARE tables text; BEGIN
	IF obj_description(to_regnamespace(%[1]s), 'pg_namespace') = %[2]s THEN
		RAISE lock_not_available USING MESSAGE = 'dashboards still see this generation';
	END IF;
	SELECT string_agg(oid::regclass::text, ', ') INTO tables FROM pg_class WHERE relnamespace = to_regnamespace(%[3]s) AND relkind = 'r';
	IF tables IS NOT NULL THEN
		EXECUTE 'DROP TABLE ' || tables;
	END IF;
	DROP SCHEMA IF EXISTS %[4]s;
END $remove$;
`

// Remove implements Home.
func (s *Schemas) Remove(ctx context.Context, term Term, number int) error {
	p := s.dialect(number)
	db, err := patiently.Open(s.address, 1, s.awake()) // dropping a large schema takes time
	if err != nil {
		return err
	}
	defer db.Close()
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	if err := term.Prove(postgresTx{ctx, tx}); err != nil {
		return err
	}
	if _, err := tx.ExecContext(ctx, fmt.Sprintf(remove, pq.QuoteLiteral(pq.QuoteIdentifier(p.views)), pq.QuoteLiteral(p.comment()), pq.QuoteLiteral(pq.QuoteIdentifier(p.schema)), pq.QuoteIdentifier(p.schema))); err != nil {
		if e, ok := errors.AsType[*pq.Error](err); ok && e.Code == "2BP01" { // dependent_objects_still_exist
			return fmt.Errorf("%w: %w", ErrBusy, err)
		}
		return named(err)
	}
	return tx.Commit()
}

func (s *Schemas) schema(number int) string { return s.name + "_" + strconv.Itoa(number) }

func (s *Schemas) dialect(number int) postgres { return postgres{s.name, s.schema(number), s.views} }

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
	writer, err := dialer.Open(s.address, 1, s.searching(number), writing, s.awake())
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	db.writer, db.conn = writer.DB, make(chan *sql.Conn, 1)
	db.conn <- nil
	return db, nil
}

// OpenReadOnly implements Home.
func (s *Schemas) OpenReadOnly(ctx context.Context, number int) (*DB, error) {
	readers, err := patiently.Open(s.address, 8, s.searching(number), reading)
	if err != nil {
		return nil, err
	}
	if err := readers.PingContext(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("opening the read models in PostgreSQL: %w", pgconn.Explain(err)), readers.Close())
	}
	none := make(chan *sql.Conn)
	close(none)
	return &DB{Readers: readers, dialect: s.dialect(number), conn: none, path: "schema " + s.schema(number)}, nil
}

// reading are the readers' settings. A comparison reads from one snapshot for as long as it takes. Lists are read along indexes and joined
// row by row, so that a page ends as soon as it is full.
var reading = map[string]string{
	"default_transaction_read_only": "on", "idle_in_transaction_session_timeout": "0",
	"enable_hashjoin": "off", "enable_mergejoin": "off", "random_page_cost": "1.1", "max_parallel_workers_per_gather": "0",
}

// searching are the settings with which a generation's tables are found.
func (s *Schemas) searching(number int) map[string]string {
	return map[string]string{"search_path": pq.QuoteIdentifier(s.schema(number))}
}

// shortestSleep is the least idle time after which a transaction is ended. Tests change it.
var shortestSleep = 5 * time.Second

// awake are settings that end a transaction whose process is suspended in it, so that its locks are released when its lease expires.
// And a blocked statement fails before its client gives up, so that the server does not keep waiting for it.
func (s *Schemas) awake() map[string]string {
	sleep := max(s.lease, shortestSleep)
	return map[string]string{"idle_in_transaction_session_timeout": strconv.FormatInt(sleep.Milliseconds(), 10) + "ms", "lock_timeout": "4s"}
}

// writing are the writer's settings. Rows are found by their keys. While a table is filled it has no statistics, so the planner
// must be kept from scanning it.
var writing = map[string]string{"enable_seqscan": "off", "enable_hashjoin": "off", "enable_mergejoin": "off"}

// Hold implements Home.
func (s *Schemas) Hold(ctx context.Context, schema string, waiting func()) (Term, error) {
	if err := s.ensure(ctx); err != nil {
		return nil, err
	}
	l := &lease{
		db: s.control, table: s.quoted() + ".terms", channel: s.name, schema: schema, holder: uuid.NewString(),
		length: s.lease, stopped: make(chan struct{}),
	}
	watching, stop := context.WithCancel(ctx)
	defer stop()
	if err := l.wait(ctx, func() <-chan struct{} { waiting(); return s.Changes(watching) }); err != nil {
		return nil, err
	}
	return l, nil
}

// Changes implements Home.
func (s *Schemas) Changes(ctx context.Context) <-chan struct{} {
	return patiently.Listen(ctx, s.address, s.name)
}
