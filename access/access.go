// Package access is what every HTTP interface to the desk shares. It authenticates callers, determines what they may do
// and see, executes each request once however often it is sent, waits for the read models to catch up with what was
// written, and continues operations that take longer than a request.
package access

import (
	"context"
	"errors"
	"regexp"
	"sync"
	"time"

	"github.com/cenkalti/backoff/v5"
	"github.com/google/uuid"
	"golang.org/x/sync/singleflight"

	"daybook/commands/work"
	"daybook/domain/agent"
	"daybook/domain/event"
	"daybook/domain/role"
	"daybook/eventstore"
	"daybook/readmodels/table"
	"daybook/vault"
)

// A Door gives HTTP handlers access to one desk. Fill in its fields and pass it to New.
type Door struct {
	Desk   *work.Desk
	Vault  *vault.Vault
	Live   *table.Live
	Now    func() time.Time // the clock
	Region string           // the country (ISO 3166) of phone numbers without a country code; empty: none

	// Patience is how long a request waits for an operation to end; default 5 s.
	Patience time.Duration
	// Lease is how long an operation may make no progress before this process takes it over. 0: at once, since no other
	// process works on this desk.
	Lease time.Duration
	// Background ends when the process stops. Operations that take longer than a request continue until then. Nil: they
	// are never stopped.
	Background context.Context
	atWork     sync.WaitGroup
	// Failing is told what failed in the background: an operation, which is tried again later, or storing the outcome of a
	// request, which the log has too. It must not block. Nil: nobody is told.
	Failing func(error)

	agents     agents
	running    running
	operations singleflight.Group  // those that this process works on
	open       map[uuid.UUID]int64 // the revisions of open operations when Resume was last called
}

// New returns d, ready for use. It sets d.Desk.Wrote.
func New(d *Door) *Door {
	d.Desk.Wrote = d.agents.wrote
	return d
}

// Wait waits until no operation runs in the background. Call it after Background has ended.
func (d *Door) Wait() { d.atWork.Wait() }

// A Principal is the caller of a request, with their current rights.
type Principal struct {
	Key     vault.APIKey
	Role    role.Role // the key's, or the agent's where that allows less
	Allowed role.Permissions
	Sight   role.Sight
}

// Authenticate returns the caller whose API key has this token. A key that acts as an agent stops working when the agent
// is deleted, has the permissions that both the key and the agent have, and sees what the agent sees. A key that acts for
// nobody serves no department. It returns vault.ErrBadKey for a token that is not valid.
func (d *Door) Authenticate(ctx context.Context, token string) (Principal, error) {
	key, err := d.Vault.Authenticate(ctx, token)
	if err != nil {
		return Principal{}, err
	}
	p := Principal{Key: key, Role: key.Role, Allowed: key.Role.Permissions()}
	if key.Agent != uuid.Nil {
		if p, err = d.as(ctx, p); err != nil {
			return p, err
		}
	}
	if p.Allowed.Have(role.EverywhereRead) {
		p.Sight = role.Everything
	}
	return p, nil
}

// as limits a principal to what the agent may do and see for whom the key acts.
func (d *Door) as(ctx context.Context, p Principal) (Principal, error) {
	a, err := d.agents.state(ctx, d.Desk, p.Key.Agent)
	if err != nil {
		return p, err
	}
	if !agent.Stream.Exists(a) {
		return p, vault.ErrBadKey
	}
	if p.Allowed = p.Allowed.And(a.Role.Permissions()); len(p.Allowed) == len(a.Role.Permissions()) {
		p.Role = a.Role
	}
	p.Sight = a.Sight()
	return p, nil
}

// Recorded returns the principal as events name it.
func (p Principal) Recorded() event.Principal {
	return event.Principal{Kind: event.ByKey, ID: p.Key.UUID()}
}

// Actor returns the actor to record with events.
func (p Principal) Actor() event.Actor {
	if p.Key.Agent != uuid.Nil {
		return event.Actor{Kind: event.Agent, ID: p.Key.Agent}
	}
	return event.Actor{Kind: event.Key, ID: p.Key.UUID()}
}

// MustMay returns an error if the principal lacks a permission.
func (p Principal) MustMay(permission role.Permission) error {
	return work.By{Allowed: p.Allowed}.MustMay(permission)
}

// By returns the work.By of a command that the principal asks for. key is the idempotency key, or empty; about and body are
// what the request asks for, which another request with the same key must not change.
func (d *Door) By(p Principal, key, about string, body []byte) work.By {
	by := work.By{
		Actor: p.Actor(), Principal: p.Recorded(), Allowed: p.Allowed, Sight: p.Sight, At: d.Now(), Request: d.Request(p, key), Region: d.Region,
	}
	if key != "" {
		by.Digest = d.Vault.Hash("body", about, string(body)).String()
	}
	by.Correlation = by.Request.String()
	return by
}

// Request returns the id of a request: the same for the same key of a principal, a new one without a key.
func (d *Door) Request(p Principal, key string) uuid.UUID {
	if key == "" {
		return uuid.Must(uuid.NewV7())
	}
	return d.Vault.Hash("request", p.Recorded().String(), key)
}

// Correlation returns a caller's correlation id as it is stored: as sent if it is a UUID or 32 hexadecimal digits, and else
// a keyed hash, since it may be any text.
func (d *Door) Correlation(sent string) string {
	if traceID.MatchString(sent) {
		return sent
	}
	return d.Vault.Hash("correlation", sent).String()
}

var traceID = regexp.MustCompile(`^([0-9a-fA-F]{32}|[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12})$`)

// agents caches the states of agents whose keys were used. It works only while the log is followed, and what it tells is then as the
// log was less than a lease ago: a log that is away does not say so, and is asked where it ends. Otherwise every state is read from
// the log.
type agents struct {
	mu      sync.Mutex
	follows bool
	changes int // counts invalidations, so that no state read before one is cached after it
	known   map[uuid.UUID]agent.Agent

	seen  eventstore.Position // up to which the log was followed
	asked end                 // of the log, as it was asked for last
	asOf  time.Time           // everything that was written by then is known
}

// An end is where the log ended when it was asked.
type end struct {
	eventstore.Position
	at time.Time
}

const (
	// lease is how old what is known of agents may be.
	lease = time.Second
	// askEvery is how often the log is asked where it ends.
	askEvery = lease / 3
)

func (a *agents) state(ctx context.Context, d *work.Desk, id uuid.UUID) (agent.Agent, error) {
	a.mu.Lock()
	state, known := a.known[id]
	changes := a.changes
	known = known && time.Since(a.asOf) < lease
	a.mu.Unlock()
	if known {
		return state, nil
	}
	answer, err := work.State(ctx, d, agent.Stream, id)
	if err != nil {
		return agent.Agent{}, err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.follows && a.changes == changes {
		a.known[id] = answer.State
	}
	return answer.State, nil
}

// wrote drops the cached state of an agent who has changed.
func (a *agents) wrote(category string, id uuid.UUID) {
	if category != agent.Stream.Category {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.changes++
	delete(a.known, id)
}

// follow clears the cache, and switches it on or off.
func (a *agents) follow(follows bool, from end) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.follows = follows
	a.changes++
	a.known = make(map[uuid.UUID]agent.Agent)
	a.seen, a.asked, a.asOf = from.Position, from, from.at
}

// reached notes up to where the log was followed.
func (a *agents) reached(p eventstore.Position) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.seen = p
	a.prove()
}

// ends notes where the log ended when it was asked.
func (a *agents) ends(e end) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.asked.at.After(a.asOf) { // what was asked before is still awaited
		return
	}
	a.asked = e
	a.prove()
}

func (a *agents) prove() {
	if a.seen >= a.asked.Position && a.asked.at.After(a.asOf) {
		a.asOf = a.asked.at
	}
}

// Follow follows the log until the context ends, so that agents need not be read from it at each request. If the
// subscription fails, it calls failing with the error and tries again.
func (d *Door) Follow(ctx context.Context, failing func(error)) {
	_, _ = backoff.Retry(ctx, func() (struct{}, error) { return struct{}{}, d.followOnce(ctx) },
		backoff.WithBackOff(backoff.NewConstantBackOff(time.Second)), backoff.WithMaxElapsedTime(0), backoff.WithNotify(func(err error, _ time.Duration) {
			if ctx.Err() == nil {
				failing(err)
			}
		})) // it ends with the context
}

func (d *Door) followOnce(ctx context.Context) error {
	head, err := d.ask(ctx)
	if err != nil {
		return err
	}
	d.agents.follow(true, head)
	defer d.agents.follow(false, end{})
	asking, stop := context.WithCancel(ctx)
	var asks sync.WaitGroup
	defer asks.Wait()
	defer stop()
	asks.Go(func() { d.askOn(asking) })
	for batch, err := range d.Desk.Store.Follow(ctx, head.Position) {
		if err != nil {
			return err
		}
		for _, r := range batch {
			if category, id, err := event.ParseStream(r.Stream); err == nil {
				d.agents.wrote(category, id)
			}
		}
		if n := len(batch); n > 0 {
			d.agents.reached(batch[n-1].Position)
		}
	}
	return errors.New("the event store ended its feed")
}

// ask asks where the log ends.
func (d *Door) ask(ctx context.Context) (end, error) {
	at := time.Now()
	head, err := d.Desk.Store.Head(ctx)
	return end{head, at}, err
}

// askOn asks where the log ends until the context ends. While the log does not answer, agents are read from it.
func (d *Door) askOn(ctx context.Context) {
	each := time.NewTicker(askEvery)
	defer each.Stop()
	for {
		select {
		case <-each.C:
			if e, err := d.ask(ctx); err == nil {
				d.agents.ends(e)
			}
		case <-ctx.Done():
			return
		}
	}
}
