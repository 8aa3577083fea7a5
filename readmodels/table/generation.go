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
)

// The states of a generation.
const (
	Building = "building" // nobody reads it, and it is worth nothing if its builder is gone
	Ready    = "live"     // it is read, or was until a newer one came
)

// A Generation says what a database holds.
type Generation struct {
	Number int       `db:"number"`
	Schema string    `db:"schema"` // of its tables and the projections that filled them; see Schema
	Log    uuid.UUID `db:"log_id"` // the log that it was posted from
	State  string    `db:"state"`
	Held   bool      `db:"held"` // somebody has the term of the schema; only Generations says so
}

// A Point is an event of the log up to which something was done. The zero value is before the first.
type Point struct {
	Position eventstore.Position `db:"position"`
	Stream   string              `db:"stream"`
	Revision eventstore.Revision `db:"revision"`
	EventID  uuid.UUID           `db:"event_id"`
}

// A Checkpoint says how far one projection has come.
type Checkpoint struct {
	Projection string `db:"projection"`
	Point             // the last event that it saw
	Applied    int64  `db:"applied"` // the events it has seen, those of parked things included; the log must have as many
	Epoch      int64  `db:"epoch"`   // raised by whoever takes over the posting; who has an older one can no longer write
}

// A Parked is a thing that one projection no longer follows, because it failed at one of its events.
type Parked struct {
	Projection string              `db:"projection" json:"projection"`
	Stream     string              `db:"stream" json:"stream"`
	Position   eventstore.Position `db:"position" json:"position"` // of the event at which it failed
	EventID    uuid.UUID           `db:"event_id" json:"event_id"`
	Error      string              `db:"error" json:"error"`
	Waiting    int64               `db:"waiting" json:"waiting"` // the thing's events that were not applied, the first one included
	ParkedAt   Instant             `db:"parked_at" json:"parked_at"`
}

// The tables that every generation has. These words mean the same to all databases.
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

// Posted is what the database says of its own rows, as tables that can be compared with those of another generation.
func Posted() []*Relation {
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

// Schema is a digest of tables and of what fills them: the projections, given as checkpoints, and a version of what they
// make of events. Where it differs, rows must be built anew.
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

// Lay makes the tables of an empty database, without their indexes, and a checkpoint for each projection.
func (db *DB) Lay(ctx context.Context, g Generation, tables []*Relation, projections []Checkpoint) error {
	script := strings.Builder{}
	script.WriteString(db.dialect.beforeTables() + system)
	for _, t := range tables {
		script.WriteString(db.dialect.createTable(t) + ";\n")
	}
	return db.Write(ctx, func(tx Tx) error {
		if _, err := tx.Exec(script.String()); err != nil {
			return fmt.Errorf("making the tables: %w", err)
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

// MarkReady says in the database that it may be read, if the term is not over.
func (db *DB) MarkReady(ctx context.Context, term Term) error {
	return db.Write(ctx, func(tx Tx) error {
		if _, err := tx.Exec("UPDATE generation SET state = ?", Ready); err != nil {
			return err
		}
		return term.Prove(tx)
	})
}

// ReadGeneration says what a database holds.
func ReadGeneration(ctx context.Context, q Queryer) (g Generation, err error) {
	err = sqlx.GetContext(ctx, q, &g, "SELECT number, schema, log_id, state FROM generation")
	return g, err
}

// ReadCheckpoints returns all checkpoints, by projection.
func ReadCheckpoints(ctx context.Context, q Queryer) (all []Checkpoint, err error) {
	err = sqlx.SelectContext(ctx, q, &all, "SELECT projection, position, stream, revision, event_id, applied, epoch FROM checkpoints ORDER BY projection")
	return all, err
}

// ReadParked returns all that is parked, by projection and stream.
func ReadParked(ctx context.Context, q Queryer) (all []Parked, err error) {
	err = sqlx.SelectContext(ctx, q, &all,
		"SELECT projection, stream, position, event_id, error, waiting, parked_at FROM parked ORDER BY projection, stream")
	return all, err
}
