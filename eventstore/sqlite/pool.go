package sqlite

import (
	"cmp"
	"context"
	"errors"

	"daybook/eventstore"
)

// A pool holds idle connections. get gives one to its caller, who owns it until put.
type pool struct {
	idle   chan *conn
	open   int           // connections, in use or idle
	closed chan struct{} // closed when get fails
	why    error         // with which it then fails; nil: it is closed
}

func newPool(size int) *pool {
	return &pool{idle: make(chan *conn, size), closed: make(chan struct{})}
}

// fill opens as many connections as the pool holds.
func (p *pool) fill(dial func() (*conn, error)) error {
	for p.open < cap(p.idle) {
		c, err := dial()
		if err != nil {
			return err
		}
		p.open++
		p.idle <- c
	}
	return nil
}

// usable returns the error that get would return at once.
func (p *pool) usable(ctx context.Context) error {
	select {
	case <-p.closed:
		return cmp.Or(p.why, eventstore.ErrClosed)
	default:
		return ctx.Err()
	}
}

func (p *pool) get(ctx context.Context) (*conn, error) {
	if err := p.usable(ctx); err != nil {
		return nil, err
	}
	select {
	case c := <-p.idle:
		return c, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-p.closed:
		return nil, cmp.Or(p.why, eventstore.ErrClosed)
	}
}

func (p *pool) put(c *conn) { p.idle <- c }

// close waits until all connections are returned and closes them.
func (p *pool) close() error {
	if p.why == nil {
		close(p.closed)
	}
	return p.empty()
}

// fail lets get fail from now on.
func (p *pool) fail(why error) {
	p.why = why
	close(p.closed)
}

// empty waits until all connections are returned and closes them. The pool can be filled again.
func (p *pool) empty() error {
	var errs []error
	for ; p.open > 0; p.open-- {
		c := <-p.idle
		errs = append(errs, c.close())
	}
	return errors.Join(errs...)
}
