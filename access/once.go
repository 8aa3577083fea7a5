package access

import (
	"context"
	"errors"
	"sync"

	"github.com/google/uuid"

	"daybook/commands/work"
	"daybook/domain"
	"daybook/domain/event"
	"daybook/eventstore"
	"daybook/vault"
)

// An Outcome is the result of a request: the thing that it was about, and its revision and position.
type Outcome struct {
	Category string
	ID       uuid.UUID
	Revision eventstore.Revision
	Position eventstore.Position
	Created  bool
	Replayed bool
	Read     []event.Written // the thing's events before these that were read for it, unless they are many
	Written  []event.Written // the thing's new events; empty if replayed
}

// A Repeated is the refusal that the same request got before.
type Repeated struct{ No *domain.Error }

func (e *Repeated) Error() string { return e.No.Error() }

// Once executes a request once, however often it is sent with the same idempotency key, and repeats the first result. A
// refusal is repeated too, as *Repeated, unless it is forbidden, stale or not found: those may succeed later. Without a key,
// it always executes the request. It returns vault.ErrKeyReused or work.ErrReused if the key was used with another request.
//
// The events of a request have ids derived from it, and their metadata has its id and digest. So the log itself takes them
// once, and tells a copy from another request. Nothing is stored before they are. An outcome without events, a refusal or that
// nothing was to be done, is durable in the vault before it is answered. One with events is stored there too, but its answer
// does not wait for that, since the log has the events. So if the process is killed
//   - before the events are stored, or before an outcome without events is, nothing has happened, and nobody was told otherwise;
//   - between some streams of the request, a retry finds what is there by the request's id, and does the rest;
//   - after the events and before their outcome is stored, a retry finds the events, and answers from them. Only that the key is
//     used for something else, whose stream has no event of this request, goes unnoticed then: that is the caller's mistake, and
//     what is asked for is done;
//   - after the outcome is stored, a retry is answered by it.
//
// An outcome counts only if the log has the last event that it rests on. A log that was restored from a backup may not have it,
// and then the request is executed again.
//
// Copies that run at the same time, in one process or in several, come to the same: the log takes the events of one of them.
// Of two different requests with one key, the later is refused: by this process until the outcome of the first is stored, and
// then by the outcome. At the same moment in two processes, and about different things, both can be done.
func (d *Door) Once(ctx context.Context, key string, by work.By, do func(work.By) (Outcome, error)) (Outcome, error) {
	if key == "" {
		return do(by)
	}
	end, err := d.running.begin(by)
	if err != nil {
		return Outcome{}, err
	}
	done, came, err := d.once(ctx, by, do)
	if came == nil {
		end()
		return done, err
	}
	waits, kept := len(done.Written) == 0, make(chan error, 1)
	d.Vault.KeepOutcome(context.WithoutCancel(ctx), by.Request, *came, by.At, waits, func(err error) {
		end()
		kept <- err
		if err != nil && !errors.Is(err, vault.ErrKeyReused) && d.Failing != nil {
			d.Failing(err)
		}
	})
	if !waits {
		return done, nil
	}
	if kept := <-kept; kept != nil {
		err = kept
	}
	return done, err
}

// once returns what a request comes to, and what to keep of it; nil: nothing.
func (d *Door) once(ctx context.Context, by work.By, do func(work.By) (Outcome, error)) (done Outcome, came *vault.Outcome, err error) {
	before, err := d.Vault.Outcome(ctx, by.Request)
	there := false
	if before != nil && err == nil {
		there, err = d.has(ctx, before.RestsOn)
	}
	switch {
	case err != nil:
		return Outcome{}, nil, err
	case before != nil && !there:
		if err := d.Vault.ForgetOutcome(ctx, by.Request, *before); err != nil {
			return Outcome{}, nil, err
		}
	case before != nil && before.Digest != by.Digest:
		return Outcome{}, nil, vault.ErrKeyReused
	case before != nil && before.Refusal != nil:
		return Outcome{}, nil, &Repeated{before.Refusal}
	case before != nil:
		category, id, err := event.ParseStream(before.Stream)
		return Outcome{
			Category: category, ID: id, Revision: eventstore.Revision(before.Revision), Position: eventstore.Position(before.Position),
			Created: before.Created, Replayed: true,
		}, nil, err
	}
	var on work.Event
	by.RestsOn = &on
	done, err = do(by)
	restsOn := vault.Event{Stream: on.Stream, Revision: int64(on.Revision), ID: on.ID}
	var no *domain.Error
	switch {
	case err == nil:
		return done, &vault.Outcome{
			Digest: by.Digest, Stream: done.Category + "-" + done.ID.String(), Revision: int64(done.Revision), Position: uint64(done.Position), Created: done.Created, RestsOn: restsOn,
		}, nil
	case errors.As(err, &no) && keeps[no.Refusal]:
		return Outcome{}, &vault.Outcome{Digest: by.Digest, Refusal: no, RestsOn: restsOn}, err
	}
	return Outcome{}, nil, err
}

// keeps says which refusals repeat: those that are about the request itself. What the caller may not do or see, and what has
// changed since they looked, may be otherwise the next time.
var keeps = map[domain.Refusal]bool{domain.RefusedInvalid: true, domain.RefusedConflict: true}

// has reports whether the log has an event.
func (d *Door) has(ctx context.Context, e vault.Event) (bool, error) {
	if e.ID == uuid.Nil {
		return true, nil
	}
	_, found, err := eventstore.Find(ctx, d.Desk.Store, e.Stream, eventstore.Revision(e.Revision), e.ID)
	return found, err
}

// running are the requests with an idempotency key that this process executes.
type running struct {
	mu       sync.Mutex
	requests map[uuid.UUID]*copies
}

// copies are the copies of one request that run now.
type copies struct {
	digest string
	n      int
}

// begin counts a request until end is called. It returns vault.ErrKeyReused while another request with the same key runs.
func (r *running) begin(by work.By) (end func(), err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	same := r.requests[by.Request]
	if same == nil {
		if r.requests == nil {
			r.requests = make(map[uuid.UUID]*copies)
		}
		same = &copies{digest: by.Digest}
		r.requests[by.Request] = same
	}
	if same.digest != by.Digest {
		return nil, vault.ErrKeyReused
	}
	same.n++
	return func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		if same.n--; same.n == 0 {
			delete(r.requests, by.Request)
		}
	}, nil
}
