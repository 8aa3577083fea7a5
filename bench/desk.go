package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/google/uuid"

	"daybook/access"
	"daybook/api"
	"daybook/commands/work"
	"daybook/domain/role"
	"daybook/eventstore"
	"daybook/eventstore/postgres"
	"daybook/eventstore/sqlite"
	"daybook/projections"
	"daybook/projections/engine"
	"daybook/readmodels/table"
	"daybook/vault"
)

// A desk is the program as it serves, assembled in this process.
type desk struct {
	dir    string
	store  eventstore.Store
	home   table.Home
	vault  *vault.Vault
	live   *table.Live
	source engine.Source
	token  string // of an API key with all permissions
	stops  []func() error
	last   func() error // after everything; nil: nothing
}

// openDesk opens the desk in a folder, as the program does, and creates it if there is none.
func openDesk(dir string) (*desk, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	store, err := sqlite.Open(filepath.Join(dir, "events.db"), sqlite.Options{})
	if err != nil {
		return nil, err
	}
	return openDeskOn(dir, store, table.Folder(dir))
}

// openPostgresDesk opens a desk whose log and read models are in PostgreSQL.
func openPostgresDesk(dir, database, schema string) (*desk, error) {
	store, err := postgres.Open(context.Background(), database, postgres.Options{Schema: schema})
	if err != nil {
		return nil, err
	}
	home, err := table.NewSchemas(database, table.SchemasOptions{Name: "rows_" + uuid.NewString()[:8]})
	if err != nil {
		return nil, errors.Join(err, store.Close())
	}
	return openDeskOn(dir, store, home)
}

// bothDesks opens an embedded desk, and one in PostgreSQL, which closes with it.
func bothDesks(s setting) (embedded, served *desk, err error) {
	if embedded, err = openDesk(s.dir); err != nil {
		return nil, nil, err
	}
	dir := filepath.Join(s.dir, "served")
	if err = os.Mkdir(dir, 0o700); err == nil {
		served, err = openPostgresDesk(dir, s.postgres, "desk_"+uuid.NewString()[:8])
	}
	if err != nil {
		return nil, nil, errors.Join(err, embedded.close())
	}
	embedded.stops = append(embedded.stops, served.close)
	return embedded, served, nil
}

// twoDesks opens two embedded desks and makes a side with each.
func twoDesks(s setting, ours, reference func(*desk) (func() (float64, error), error)) (rounds, error) {
	d, err := openDesk(s.dir)
	if err != nil {
		return rounds{}, err
	}
	return d.rounds(func() (r rounds, err error) {
		if r.ours, err = ours(d); err != nil {
			return r, err
		}
		other, err := openDesk(filepath.Join(s.dir, "other"))
		if err != nil {
			return r, err
		}
		d.stops = append(d.stops, other.close)
		r.reference, err = reference(other)
		return r, err
	})
}

func openDeskOn(dir string, store eventstore.Store, home table.Home) (*desk, error) {
	return openDeskWith(dir, store, home, filepath.Join(dir, "vault.db"))
}

// openVaultDesk opens an embedded desk whose vault is in PostgreSQL.
func openVaultDesk(dir, database string) (*desk, error) {
	store, err := sqlite.Open(filepath.Join(dir, "events.db"), sqlite.Options{})
	if err != nil {
		return nil, err
	}
	d, err := openDeskWith(dir, store, table.Folder(dir), database)
	if err == nil {
		d.last = func() error { return execute(database, "DROP SCHEMA vault CASCADE") }
	}
	return d, err
}

func openDeskWith(dir string, store eventstore.Store, home table.Home, database string) (*desk, error) {
	v, err := vault.OpenAt(context.Background(), database, vault.MasterFile(filepath.Join(dir, "vault.key")))
	if err != nil {
		return nil, errors.Join(err, home.Close(), store.Close())
	}
	d := &desk{dir: dir, store: store, home: home, vault: v, live: new(table.Live)}
	d.source = engine.Source{Store: store, Decode: engine.DecodeWith(d.vault), Projections: projections.All, Version: projections.Version}
	if _, d.token, err = v.NewAPIKey(context.Background(), "bench", role.Owner, uuid.Nil, time.Now()); err != nil {
		return nil, errors.Join(err, d.close())
	}
	return d, nil
}

// close closes what was opened, in reverse order.
func (d *desk) close() error {
	var errs []error
	for i := len(d.stops) - 1; i >= 0; i-- {
		errs = append(errs, d.stops[i]())
	}
	d.live.Close()
	errs = append(errs, d.store.Close(), d.home.Close(), d.vault.Close())
	if d.last != nil {
		errs = append(errs, d.last())
	}
	return errors.Join(errs...)
}

// project starts the projections, and returns when they have caught up with the log.
func (d *desk) project() error {
	projecting, err := engine.New(d.source, d.home, d.live)
	if err != nil {
		return err
	}
	ctx, stop := context.WithCancelCause(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		stop(projecting.Run(ctx, engine.RunOptions{}))
	}()
	d.stops = append(d.stops, func() error {
		stop(nil)
		<-ended
		return nil
	})
	head, err := d.store.Head(ctx)
	if err == nil {
		err = d.live.Wait(ctx, head)
	}
	if ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	return err
}

// handler is the API on a store, which is the desk's or a wrapper of it.
func (d *desk) handler(store eventstore.Store) http.Handler {
	source := d.source
	source.Store = store
	door := access.New(&access.Door{Desk: &work.Desk{Store: store, Keys: d.vault, Names: d.vault}, Vault: d.vault, Live: d.live, Now: time.Now})
	return api.New(api.Config{Door: door, Log: slog.New(slog.DiscardHandler), Rows: engine.NewRows(source, d.vault, nil), Drain: context.Background()})
}

// serve serves a handler on loopback until the desk closes.
func (d *desk) serve(h http.Handler) (url string, err error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	server := &http.Server{Handler: h}
	go server.Serve(listener)
	d.stops = append(d.stops, server.Close)
	return "http://" + listener.Addr().String(), nil
}

// A client sends requests as the desk's owner, over as many keep-alive connections as there are callers at once.
type client struct {
	http  http.Client
	token string
	keyed bool // each request has an Idempotency-Key of its own
}

func newClient(token string) *client {
	return &client{token: token, http: http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: manyCallers, DisableCompression: true}}}
}

// send returns the headers of the answer after reading it.
func (c *client) send(method, url string, body []byte) (http.Header, error) {
	answer, err := c.ask(method, url, body)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	_, err = io.Copy(io.Discard, answer.Body)
	return answer.Header, err
}

// ask returns the answer. One that is not a success is an error.
func (c *client) ask(method, url string, body []byte) (*http.Response, error) {
	r, err := http.NewRequest(method, url, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Authorization", "Bearer "+c.token)
	if c.keyed {
		r.Header.Set("Idempotency-Key", uuid.NewString())
	}
	answer, err := c.http.Do(r)
	if err != nil || answer.StatusCode/100 == 2 {
		return answer, err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	return nil, errors.Join(fmt.Errorf("%s %s: %s: %s", method, url, answer.Status, text), err)
}
