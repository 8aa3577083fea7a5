package access

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"

	"daybook/commands"
	"daybook/commands/work"
	"daybook/domain/operation"
	"daybook/eventstore"
	"daybook/readmodels"
	"daybook/readmodels/table"
)

// CarryLong executes a plan over many things. It returns when nothing is left to do, with the position that shows it, or
// after Patience. In that case the rest continues in the background, and open is the id of the operation that shows what is
// left. If the plan has nothing to change, because an operation on the same thing is running, it waits for that one.
func CarryLong[S any](ctx context.Context, d *Door, plan work.LongPlan[S], id uuid.UUID, by work.By) (answer work.Answer[S], open uuid.UUID, err error) {
	answer, err = work.Carry(ctx, d.Desk, work.Plan[S](plan), id, by)
	if err != nil {
		return answer, uuid.Nil, err
	}
	open = operation.Of(by.Request)
	if !answer.Changed {
		if open, err = d.openOn(ctx, id, answer.Position); err != nil || open == uuid.Nil {
			return answer, uuid.Nil, err
		}
	}
	select {
	case err = <-d.goOn(open):
		if err == nil {
			answer.Position, err = d.Desk.Store.Head(ctx)
		}
		return answer, uuid.Nil, err
	case <-time.After(d.patience()):
		return answer, open, nil
	case <-ctx.Done():
		return answer, open, ctx.Err()
	}
}

func (d *Door) patience() time.Duration { return cmp.Or(d.Patience, 5*time.Second) }

// openOn returns the open operation on a thing, or uuid.Nil. at is the position of the thing's last event.
func (d *Door) openOn(ctx context.Context, id uuid.UUID, at eventstore.Position) (open uuid.UUID, err error) {
	there, err := d.Reach(ctx, at, d.patience())
	if err != nil {
		return uuid.Nil, err
	}
	if !there {
		return uuid.Nil, ErrBehind
	}
	err = d.Live.Read(func(db *table.DB) error {
		found, err := readmodels.FindOperations(ctx, db.Readers, readmodels.OperationFilter{Open: true, About: &id}, table.Page{Limit: 1})
		if len(found.Rows) > 0 {
			open = found.Rows[0].ID
		}
		return err
	})
	return open, err
}

// goOn continues an operation in the background, or joins it if this process already does. The channel tells how it ended.
func (d *Door) goOn(id uuid.UUID) <-chan error {
	ctx := d.Background
	if ctx == nil {
		ctx = context.Background()
	}
	ended := make(chan error, 1)
	d.atWork.Go(func() {
		_, err, _ := d.operations.Do(id.String(), func() (any, error) {
			err := d.Desk.GoOn(ctx, id, commands.Long, finder{d.Live})
			if err != nil && ctx.Err() == nil && d.Failing != nil {
				d.Failing(fmt.Errorf("operation %s: %w", id, err))
			}
			return nil, err
		})
		ended <- err
	})
	return ended
}

// Left returns how many things an operation has left to process, according to the read models.
func Left(ctx context.Context, q table.Queryer, o readmodels.Operation) (int, error) {
	i := slices.IndexFunc(commands.Long, func(l work.Long) bool { return l.Name == o.Plan })
	if o.EndedAt != 0 || i < 0 {
		return 0, nil
	}
	sum := 0
	for _, left := range commands.Long[i].Again(uuid.UUID(o.With)).Left(o.About) {
		rows, where, err := readmodels.ThatShow(left.Category, left.Showing)
		if err != nil {
			return 0, err
		}
		n, err := table.Count(ctx, q, rows, where)
		if err != nil {
			return 0, err
		}
		sum += n
	}
	return sum, nil
}

// ErrBehind says that the read models did not catch up with the log in time.
var ErrBehind = errors.New("the read models are behind the log")

// Has reports whether a selection finds anything, once the read models have come as far as the log is now. If they do not
// get there within Patience, it returns ErrBehind.
func (d *Door) Has(ctx context.Context, left work.Left) (bool, error) {
	head, err := d.Desk.Store.Head(ctx)
	if err != nil {
		return false, err
	}
	there, err := d.Reach(ctx, head, d.patience())
	if err != nil {
		return false, err
	}
	if !there {
		return false, ErrBehind
	}
	found, err := finder{d.Live}.Find(ctx, left, head, "", 1)
	return len(found) > 0, err
}

// Resume continues operations that have made no progress for Lease, because their process died. The times in the log may be
// ahead of the clock, so it also continues those that have made none since the call before. Call it once per Lease.
func (d *Door) Resume(ctx context.Context) error {
	head, err := d.Desk.Store.Head(ctx)
	if err == nil {
		err = d.Live.Wait(ctx, head)
	}
	if err != nil {
		return err
	}
	var open []readmodels.Operation
	err = d.Live.Read(func(db *table.DB) error {
		found, err := readmodels.FindOperations(ctx, db.Readers, readmodels.OperationFilter{Open: true}, table.Page{Limit: table.MaxPage})
		open = found.Rows
		return err
	})
	if err != nil {
		return err
	}
	var failed []error
	before := d.open
	d.open = make(map[uuid.UUID]int64, len(open))
	for _, o := range open {
		d.open[o.ID] = o.Revision
		revision, stalled := before[o.ID]
		stalled = stalled && revision == o.Revision || d.Lease == 0 || d.Now().Sub(o.ChangedAt.Time()) >= d.Lease
		known := slices.ContainsFunc(commands.Long, func(l work.Long) bool { return l.Name == o.Plan }) // else a newer version's
		if !known || !stalled {                                                                         // two at once would do the same work twice
			continue
		}
		select {
		case err := <-d.goOn(o.ID):
			failed = append(failed, err)
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return errors.Join(failed...)
}

// finder finds what is left to process in the live read models.
type finder struct{ live *table.Live }

// Find implements work.Finder.
func (f finder) Find(ctx context.Context, left work.Left, at eventstore.Position, after string, limit int) (things []uuid.UUID, err error) {
	if err := f.live.Wait(ctx, at); err != nil {
		return nil, err
	}
	err = f.live.Read(func(db *table.DB) error {
		rows, where, err := readmodels.ThatShow(left.Category, left.Showing)
		if err == nil {
			things, err = table.IDs(ctx, db.Readers, rows, where, after, limit)
		}
		return err
	})
	return things, err
}
