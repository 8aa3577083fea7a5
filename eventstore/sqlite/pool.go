package sqlite

import (
	"cmp"
	"context"
	"errors"
	"sync"

	"daybook/eventstore"
)

// A pool holds idle connections. get gives one to its caller, who owns it until put.
type pool struct {
	idle chan *conn
	open int // connections, in use or idle

	mu    sync.Mutex
	fails chan struct{} // closed while get fails
	why   error         // with which it does
}

func newPool(size int) *pool {
	return &pool{idle: make(chan *conn, size), fails: make(chan struct{})}
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
	_, why := p.gate()
	return cmp.Or(why, ctx.Err())
}

// gate returns a channel that closes when get fails, and why it does already.
func (p *pool) gate() (<-chan struct{}, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.fails, p.why
}

func (p *pool) get(ctx context.Context) (*conn, error) {
	if err := p.usable(ctx); err != nil {
		return nil, err
	}
	fails, _ := p.gate()
	select {
	case c := <-p.idle:
		return c, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-fails:
		return nil, cmp.Or(p.usable(ctx), eventstore.ErrClosed)
	}
}

func (p *pool) put(c *conn) { p.idle <- c }

// close waits until all connections are returned and closes them.
func (p *pool) close() error {
	p.fail(eventstore.ErrClosed)
	return p.empty()
}

// fail lets get fail from now on, until it is mended.
func (p *pool) fail(why error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.why == nil {
		close(p.fails)
	}
	p.why = why
}

// mend lets get succeed again.
func (p *pool) mend() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.why != nil {
		p.fails, p.why = make(chan struct{}), nil
	}
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
