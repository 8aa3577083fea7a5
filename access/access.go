// Package access is the way in for whoever asks over HTTP, by JSON or by pages: who sends a request, what they may do and
// see, doing a request once however often it is sent, waiting until the read models have what was written, and carrying on
// what takes longer than a request.
package access

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/cenkalti/backoff/v5"
	"github.com/google/uuid"

	"daybook/commands/work"
	"daybook/domain/agent"
	"daybook/domain/event"
	"daybook/domain/role"
	"daybook/readmodels/table"
	"daybook/vault"
)

// A Door is the way in to one desk.
type Door struct {
	Desk   *work.Desk
	Vault  *vault.Vault
	Live   *table.Live
	Now    func() time.Time // the clock
	Region string           // the country of phone numbers without a country code; empty: none

	// Patience is how long a request waits for a plan over many things; 0 is 5 s.
	Patience time.Duration
	// Lease is for how long nothing may come of an operation before another process goes on with it; 0: no other works here.
	Lease time.Duration
	// Background ends when the process is to stop; what takes longer than a request goes on until then. Nil: never.
	Background context.Context
	atWork     sync.WaitGroup

	agents     agents
	operations operations
}

// New opens a door. Desk.Wrote becomes its own.
func New(d *Door) *Door {
	d.Desk.Wrote = d.agents.wrote
	return d
}

// Wait returns when nothing is carried on any more, once Background has ended.
func (d *Door) Wait() { d.atWork.Wait() }

// A Principal is who sends a request, as they are now.
type Principal struct {
	Key     vault.APIKey
	Role    role.Role // the key's, or the agent's where that allows less
	Allowed role.Permissions
	Sight   role.Sight
}

// Authenticate finds out who sends a request, by the token of an API key. A key that acts as an agent ends with the agent,
// allows what both allow, and sees what the agent sees.
func (d *Door) Authenticate(ctx context.Context, token string) (Principal, error) {
	key, err := d.Vault.Authenticate(ctx, token)
	if err != nil {
		return Principal{}, err
	}
	p := Principal{Key: key, Role: key.Role, Allowed: key.Role.Permissions(), Sight: role.Everything}
	if key.Agent == uuid.Nil {
		return p, nil
	}
	a, err := d.agents.state(ctx, d.Desk, key.Agent)
	if err != nil {
		return p, err
	}
	if !agent.Stream.Exists(a) {
		return p, vault.ErrBadKey
	}
	if p.Allowed = key.Role.Permissions().And(a.Role.Permissions()); len(p.Allowed) < len(key.Role.Permissions()) {
		p.Role = a.Role
	}
	if !p.Allowed.Have(role.EverywhereRead) {
		p.Sight = a.Sight()
	}
	return p, nil
}

// ID is what requests of one principal are told apart from those of others by.
func (p Principal) ID() uuid.UUID {
	if p.Key.Agent != uuid.Nil {
		return p.Key.Agent
	}
	return p.Key.UUID()
}

// Actor is whom events name.
func (p Principal) Actor() event.Actor {
	if p.Key.Agent != uuid.Nil {
		return event.Actor{Kind: event.Agent, ID: p.Key.Agent}
	}
	return event.Actor{Kind: event.Key, ID: p.Key.UUID()}
}

// MustMay refuses a principal who lacks a permission.
func (p Principal) MustMay(permission role.Permission) error {
	return work.By{Allowed: p.Allowed}.MustMay(permission)
}

// By says of a command that the principal asks for it. key is the idempotency key, or empty; digest is that of the request.
func (d *Door) By(p Principal, key, digest string) work.By {
	by := work.By{
		Actor: p.Actor(), Allowed: p.Allowed, Sight: p.Sight, At: d.Now(), Request: uuid.Must(uuid.NewV7()), Digest: digest, Region: d.Region,
	}
	if key != "" {
		by.Request = uuid.NewSHA1(p.ID(), []byte(key))
	}
	by.Correlation, by.Causation = by.Request.String(), by.Request.String()
	return by
}

// agents are the states of the agents whose keys were used. While the log is followed they are as the log has them, but for
// what another process wrote a moment ago; else each is read when it is needed.
type agents struct {
	mu      sync.Mutex
	follows bool
	changes int // counts what was forgotten, so that nothing older is kept after
	known   map[uuid.UUID]agent.Agent
}

func (a *agents) state(ctx context.Context, d *work.Desk, id uuid.UUID) (agent.Agent, error) {
	a.mu.Lock()
	state, known := a.known[id]
	changes := a.changes
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

// wrote forgets an agent who has changed.
func (a *agents) wrote(category string, id uuid.UUID) {
	if category != agent.Stream.Category {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.changes++
	delete(a.known, id)
}

// follow says whether the log is followed from now on.
func (a *agents) follow(follows bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.follows = follows
	a.changes++
	a.known = make(map[uuid.UUID]agent.Agent)
}

// Follow follows the log, until the context ends, so that who asks need not be looked up in it at each request. failing is
// told why it cannot, each time before it is tried again.
func (d *Door) Follow(ctx context.Context, failing func(error)) {
	_, _ = backoff.Retry(ctx, func() (struct{}, error) { return struct{}{}, d.followOnce(ctx) },
		backoff.WithMaxElapsedTime(0), backoff.WithNotify(func(err error, _ time.Duration) {
			if ctx.Err() == nil {
				failing(err)
			}
		})) // it ends with the context
}

func (d *Door) followOnce(ctx context.Context) error {
	head, err := d.Desk.Store.Head(ctx)
	if err != nil {
		return err
	}
	d.agents.follow(true)
	defer d.agents.follow(false)
	for batch, err := range d.Desk.Store.Follow(ctx, head) {
		if err != nil {
			return err
		}
		for _, r := range batch {
			if category, id, err := event.ParseStream(r.Stream); err == nil {
				d.agents.wrote(category, id)
			}
		}
	}
	return errors.New("the event store ended its feed")
}
