package main

import (
	_ "embed"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"syscall"

	"github.com/google/uuid"
	"github.com/jmoiron/sqlx"

	"daybook/internal/postgresserver"
)

// serverVariable is the environment variable that names a server.
const serverVariable = "DAYBOOK_BENCH_POSTGRES"

// A database is a PostgreSQL database for the measures.
type database struct {
	url    string // empty if there is none
	remove func() error
}

// openDatabase creates a database on the server that the environment names, or on a new server with its files in a folder.
func openDatabase(dir string) (database, error) {
	if server := os.Getenv(serverVariable); server != "" {
		return createDatabase(server)
	}
	// PostgreSQL does not run as root, and its user must be able to enter the folder.
	files := filepath.Join(dir, "postgres")
	if err := errors.Join(os.Chmod(dir, 0o711), os.Mkdir(files, 0o700)); err != nil {
		return database{}, err
	}
	server, err := postgresserver.Create(files)
	if err != nil {
		return database{}, err
	}
	return database{server.URL("postgres"), func() error { return server.Stop(syscall.SIGINT) }}, nil
}

func createDatabase(server string) (database, error) {
	u, err := url.Parse(server)
	if err != nil {
		return database{}, err
	}
	name := "daybook_bench_" + uuid.NewString()[:8]
	if err := execute(server, "CREATE DATABASE "+name); err != nil {
		return database{}, err
	}
	u.Path = name
	return database{u.String(), func() error { return execute(server, "DROP DATABASE "+name) }}, nil
}

// describe says what the server is and how durable its commits are. It refuses a server whose commits are not durable.
func (d database) describe() (string, error) {
	db, err := sqlx.Connect("postgres", d.url)
	if err != nil {
		return "", err
	}
	defer db.Close()
	var is struct{ Version, Fsync, Commit string }
	const settings = "SELECT current_setting('server_version') AS version, current_setting('fsync') AS fsync, current_setting('synchronous_commit') AS commit"
	if err := db.Get(&is, settings); err != nil {
		return "", err
	}
	if is.Fsync != "on" || is.Commit == "off" {
		return "", fmt.Errorf("the server has fsync=%s and synchronous_commit=%s, so its commits are not durable", is.Fsync, is.Commit)
	}
	return fmt.Sprintf("PostgreSQL %s: fsync=%s, synchronous_commit=%s.", is.Version, is.Fsync, is.Commit), nil
}

func execute(database, script string) error {
	db, err := sqlx.Connect("postgres", database)
	if err != nil {
		return err
	}
	defer db.Close()
	_, err = db.Exec(script)
	return err
}

//go:embed messagedb.sql
var messageDB string

// openMessageDB creates message-db's table in a database, and returns how to write to it. Each caller has a connection with a prepared
// statement, so that a message takes one round trip.
func openMessageDB(database string) (*sqlx.DB, appender, error) {
	db, err := sqlx.Connect("postgres", database)
	if err != nil {
		return nil, nil, err
	}
	db.SetMaxOpenConns(manyCallers)
	db.SetMaxIdleConns(manyCallers)
	if _, err := db.Exec(messageDB); err != nil {
		return nil, nil, errors.Join(err, db.Close())
	}
	call, err := db.Prepare("SELECT message_store.write_message($1, $2, $3, $4, $5, $6)")
	if err != nil {
		return nil, nil, errors.Join(err, db.Close())
	}
	return db, func(stream string, expected int64, id uuid.UUID, p payload) error {
		var position int64
		return call.QueryRow(id.String(), stream, eventType, string(p.data), string(p.meta), expected).Scan(&position)
	}, nil
}
