package access

import (
	"cmp"
	"context"
	"slices"
	"sync"
	"time"

	"github.com/google/uuid"

	"daybook/commands"
	"daybook/commands/work"
	"daybook/domain/operation"
	"daybook/eventstore"
	"daybook/readmodels"
	"daybook/readmodels/table"
)

// operations are the operations that this process is working on.
type operations struct {
	mu       sync.Mutex
	underWay map[uuid.UUID]bool
}

// begin marks an operation as being worked on, and reports whether it was not so before. Then the caller must call end.
func (o *operations) begin(id uuid.UUID) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.underWay == nil {
		o.underWay = make(map[uuid.UUID]bool)
	}
	mine := !o.underWay[id]
	o.underWay[id] = true
	return mine
}

func (o *operations) end(id uuid.UUID) {
	o.mu.Lock()
	defer o.mu.Unlock()
	delete(o.underWay, id)
}

// CarryLong executes a plan over many things. It returns when nothing is left to do, or after Patience. In that case the
// rest continues in the background, and open is the id of the operation that shows what is left.
func CarryLong[S any](ctx context.Context, d *Door, plan work.LongPlan[S], id uuid.UUID, by work.By) (answer work.Answer[S], open uuid.UUID, err error) {
	answer, err = work.Carry(ctx, d.Desk, work.Plan[S](plan), id, by)
	if err != nil || !answer.Changed {
		return answer, uuid.Nil, err
	}
	begun := operation.Of(by.Request)
	ended := make(chan error, 1)
	background := d.background(ctx)
	d.atWork.Go(func() { ended <- d.goOn(background, begun) })
	select {
	case err = <-ended:
		return answer, uuid.Nil, err
	case <-time.After(cmp.Or(d.Patience, 5*time.Second)):
		return answer, begun, nil
	case <-ctx.Done():
		return answer, begun, ctx.Err()
	}
}

func (d *Door) background(ctx context.Context) context.Context {
	if d.Background != nil {
		return d.Background
	}
	return context.WithoutCancel(ctx)
}

// goOn continues an operation, unless this process already does.
func (d *Door) goOn(ctx context.Context, id uuid.UUID) error {
	if !d.operations.begin(id) {
		return nil
	}
	defer d.operations.end(id)
	return d.Desk.GoOn(ctx, id, commands.Long, finder{d.Live})
}

// Left returns how many things an operation has left to process, according to the read models.
func Left(ctx context.Context, q table.Queryer, o readmodels.Operation) (int, error) {
	i := slices.IndexFunc(commands.Long, func(l work.Long) bool { return l.Name == o.Plan })
	if o.EndedAt != 0 || i < 0 {
		return 0, nil
	}
	left := commands.Long[i].Left(o.About)
	rows, where, err := readmodels.ThatShow(left.Category, left.Showing, left.ID)
	if err != nil {
		return 0, err
	}
	return table.Count(ctx, q, rows, where)
}

// Resume continues operations that have made no progress for Lease, because their process died.
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
	for _, o := range open {
		if d.Now().Sub(o.ChangedAt.Time()) < d.Lease { // two at once would do no harm, but the same work twice
			continue
		}
		if err := d.goOn(ctx, o.ID); err != nil {
			return err
		}
	}
	return nil
}

// finder finds what is left to process in the live read models.
type finder struct{ live *table.Live }

// Find implements work.Finder.
func (f finder) Find(ctx context.Context, left work.Left, at eventstore.Position, after string, limit int) (things []uuid.UUID, err error) {
	if err := f.live.Wait(ctx, at); err != nil {
		return nil, err
	}
	err = f.live.Read(func(db *table.DB) error {
		rows, where, err := readmodels.ThatShow(left.Category, left.Showing, left.ID)
		if err == nil {
			things, err = table.IDs(ctx, db.Readers, rows, where, after, limit)
		}
		return err
	})
	return things, err
}
