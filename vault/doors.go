package vault

import (
	"sync"
	"time"

	"daybook/internal/recent"
)

// rememberedKeys is how many API keys are kept in memory, at least.
const rememberedKeys = 1000

// doors are the API keys that were found valid less than a lease ago, so that a key is asked for once a lease and not with each
// request. What another process revokes is so in force after a lease, and what this one revokes at once.
type doors struct {
	mu      sync.Mutex
	rows    *recent.Map[string, foundKey]
	changes int // how often keys were revoked here
}

type foundKey struct {
	keyRow
	asked time.Time
}

// find returns a row that is remembered, and how often keys were revoked so far.
func (d *doors) find(id string, now time.Time) (row keyRow, known bool, changes int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.rows == nil {
		return row, false, d.changes
	}
	found, known := d.rows.Get(id)
	return found.keyRow, known && now.Sub(found.asked) < lease, d.changes
}

// put remembers a row that was asked for at a time, unless keys were revoked since.
func (d *doors) put(row keyRow, asked time.Time, changes int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if changes != d.changes {
		return
	}
	if d.rows == nil {
		d.rows = recent.New[string, foundKey](rememberedKeys)
	}
	d.rows.Put(row.ID, foundKey{row, asked})
}

// forget is called when keys were revoked.
func (d *doors) forget() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.rows, d.changes = nil, d.changes+1
}
