package table

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"

	"github.com/google/uuid"
	"github.com/jmoiron/sqlx"

	"daybook/eventstore"
	"daybook/internal/pgconn"
)

// The states of a generation.
const (
	Building = "building" // not readable yet; useless once the process that builds it is gone
	Ready    = "live"     // readable; the newest one is live
	Damaged  = "damaged"  // not what was written; useless
)

// A Generation describes a database of read models.
type Generation struct {
	Number int       `db:"number"`
	Schema string    `db:"schema"` // the digest of its tables and projections; see Schema
	Log    uuid.UUID `db:"log_id"` // the log that it was projected from
	State  string    `db:"state"`
	Held   bool      `db:"held"` // a process holds the term of the schema; set by Generations only
}

// A Point names an event of the log: the last one that was processed. The zero value is before the first.
type Point struct {
	Position eventstore.Position `db:"position"`
	Stream   string              `db:"stream"`
	Revision eventstore.Revision `db:"revision"`
	EventID  uuid.UUID           `db:"event_id"`
}

// A Checkpoint records how far a projection has got.
type Checkpoint struct {
	Projection string `db:"projection"`
	Point             // the last event that it has processed
	Applied    int64  `db:"applied"` // how many events it has processed, those of parked streams included; the log must have as many
	Epoch      int64  `db:"epoch"`   // raised by each new writer; a writer with an older epoch is fenced
}

// A Parked is a stream that a projection skips because it failed at one of the stream's events.
type Parked struct {
	Projection string              `db:"projection" json:"projection"`
	Stream     string              `db:"stream" json:"stream"`
	Position   eventstore.Position `db:"position" json:"position"` // of the event at which it failed
	EventID    uuid.UUID           `db:"event_id" json:"event_id"`
	Error      string              `db:"error" json:"error"`
	Waiting    int64               `db:"waiting" json:"waiting"` // how many of the stream's events were skipped, the failed one included
	ParkedAt   Instant             `db:"parked_at" json:"parked_at"`
}

// system creates the tables that every generation has. All databases understand it.
const system = `
CREATE TABLE generation (
	one    INTEGER PRIMARY KEY CHECK (one = 1),
	number INTEGER NOT NULL,
	schema TEXT    NOT NULL,
	log_id TEXT    NOT NULL,
	state  TEXT    NOT NULL
);
CREATE TABLE checkpoints (
	projection TEXT    NOT NULL PRIMARY KEY,
	position   BIGINT  NOT NULL,
	stream     TEXT    NOT NULL,
	revision   BIGINT  NOT NULL,
	event_id   TEXT    NOT NULL,
	applied    BIGINT  NOT NULL,
	epoch      BIGINT  NOT NULL
);
CREATE TABLE parked (
	projection TEXT   NOT NULL,
	stream     TEXT   NOT NULL,
	position   BIGINT NOT NULL,
	event_id   TEXT   NOT NULL,
	error      TEXT   NOT NULL,
	waiting    BIGINT NOT NULL,
	parked_at  BIGINT NOT NULL,
	PRIMARY KEY (projection, stream)
);
`

// Bookkeeping returns the checkpoints and the parked streams as tables, to be compared with those of another generation.
func Bookkeeping() []*Relation {
	type checkpoint struct {
		Projection string              `db:"projection,key"`
		Position   eventstore.Position `db:"position"`
		EventID    uuid.UUID           `db:"event_id"`
		Applied    int64               `db:"applied"`
	}
	type parked struct {
		Projection string              `db:"projection,key"`
		Stream     string              `db:"stream,key"`
		Position   eventstore.Position `db:"position"`
		Waiting    int64               `db:"waiting"`
	}
	var all []*Relation
	for _, t := range []Table{{Name: "checkpoints", Row: checkpoint{}}, {Name: "parked", Row: parked{}}} {
		r, err := Relate(t)
		if err != nil {
			panic(err)
		}
		all = append(all, r)
	}
	return all
}

// Schema is a digest of tables and of what fills them: the projections, given as checkpoints, and a version of their results.
// If it differs, the rows must be rebuilt.
func Schema(tables []*Relation, projections []Checkpoint, version string) string {
	digest := sha256.New()
	fmt.Fprint(digest, system)
	for _, t := range tables {
		fmt.Fprintln(digest, new(sqlite).createTable(t), t.Indexes)
	}
	for _, p := range projections {
		fmt.Fprintln(digest, p.Projection)
	}
	fmt.Fprintln(digest, version)
	return hex.EncodeToString(digest.Sum(nil))[:16]
}

// Lay creates the tables in an empty database, without indexes, and a checkpoint for each projection.
func (db *DB) Lay(ctx context.Context, g Generation, tables []*Relation, projections []Checkpoint) error {
	script := strings.Builder{}
	script.WriteString(db.dialect.beforeTables())
	for _, t := range tables {
		script.WriteString(db.dialect.createTable(t) + ";\n")
	}
	return db.Write(ctx, func(tx Tx) error {
		if _, err := tx.Exec(script.String()); err != nil {
			return fmt.Errorf("creating the tables: %w", pgconn.Explain(err))
		}
		const generation = "INSERT INTO generation (one, number, schema, log_id, state) VALUES (1, ?, ?, ?, ?)"
		if _, err := tx.Exec(generation, int64(g.Number), g.Schema, g.Log.String(), g.State); err != nil {
			return err
		}
		for _, p := range projections {
			const checkpoint = "INSERT INTO checkpoints (projection, position, stream, revision, event_id, applied, epoch) VALUES (?, 0, '', 0, ?, 0, 0)"
			if _, err := tx.Exec(checkpoint, p.Projection, uuid.Nil.String()); err != nil {
				return err
			}
		}
		return nil
	})
}

// MarkReady marks the generation as readable. It fails with ErrTermOver if the term is over.
func (db *DB) MarkReady(ctx context.Context, term Term) error {
	return db.Write(ctx, func(tx Tx) error {
		if _, err := tx.Exec("UPDATE generation SET state = ?", Ready); err != nil {
			return err
		}
		return term.Prove(tx)
	})
}

// ReadGeneration reads a database's description of itself.
func ReadGeneration(ctx context.Context, q Queryer) (g Generation, err error) {
	err = sqlx.GetContext(ctx, q, &g, "SELECT number, schema, log_id, state FROM generation")
	return g, readDamage(err)
}

// ReadCheckpoints returns the checkpoints in order of projections.
func ReadCheckpoints(ctx context.Context, q Queryer) (all []Checkpoint, err error) {
	err = sqlx.SelectContext(ctx, q, &all, "SELECT projection, position, stream, revision, event_id, applied, epoch FROM checkpoints ORDER BY projection")
	return all, readDamage(err)
}

// ReadParked returns the parked streams, ordered by projection and stream.
func ReadParked(ctx context.Context, q Queryer) (all []Parked, err error) {
	err = sqlx.SelectContext(ctx, q, &all,
		"SELECT projection, stream, position, event_id, error, waiting, parked_at FROM parked ORDER BY projection, stream")
	return all, readDamage(err)
}
