package engine

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	client "github.com/EventStore/EventStore-Client-Go/v4/esdb"

	"daybook/eventstore"
	"daybook/eventstore/esdb"
	"daybook/eventstore/esdb/esdbtest"
)

// newForgetful returns a bench whose log is in an EventStoreDB, and a function that has the server forget events of a thing.
func newForgetful(t *testing.T) (b *bench, server *esdbtest.Server, limit func(n int, set func(*client.StreamMetadata))) {
	server = esdbtest.NewServer(esdbtest.Options{})
	t.Cleanup(server.Close)
	store, err := esdb.Open(t.Context(), server.ConnectionString(), esdb.Options{})
	if err != nil {
		t.Fatal(err)
	}
	admin := esdbtest.Admin(t, server.ConnectionString())
	return newBenchOn(t, store), server, func(n int, set func(*client.StreamMetadata)) {
		t.Helper()
		var m client.StreamMetadata
		set(&m)
		_, err := admin.SetStreamMetadata(t.Context(), "daybook."+streamOf(n), client.AppendToStreamOptions{ExpectedRevision: client.Any{}}, m)
		if err != nil {
			t.Fatal(err)
		}
	}
}

func streamOf(n int) string { return "thing-" + thingID(n).String() }

func keepsOne(m *client.StreamMetadata) { m.SetMaxCount(1) }

// headOf waits until all of the log is projected.
func (r *running) headOf(t *testing.T, b *bench) {
	t.Helper()
	head, err := b.store.Head(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	r.wait(t, head)
}

// parkedIn returns the parked streams with the projections that have parked them.
func (r *running) parkedIn(t *testing.T) (all []string) {
	t.Helper()
	for _, k := range r.parked(t) {
		all = append(all, fmt.Sprintf("%s %s waiting %d: %s", k.Projection, k.Stream, k.Waiting, k.Error))
	}
	return all
}

// mustBeParked checks that one thing is parked in both projections, and nothing else.
func (r *running) mustBeParked(t *testing.T, n, waiting int) {
	t.Helper()
	parked := r.parkedIn(t)
	if len(parked) != 2 || !strings.Contains(parked[0], fmt.Sprintf("%s waiting %d: the log is damaged", streamOf(n), waiting)) ||
		!strings.Contains(parked[1], fmt.Sprintf("%s waiting %d: the log is damaged", streamOf(n), waiting)) {
		t.Errorf("parked: %q", parked)
	}
}

// TestADamagedStreamIsParked: the log has lost events of one thing. It alone is parked, whenever that is noticed, also by who projects
// the whole log again. All else goes on.
func TestADamagedStreamIsParked(t *testing.T) {
	b, server, limit := newForgetful(t)
	home := newHome(t)
	r := b.start(t, home)
	b.append(t, 1, toy{Do: "insert"})
	b.append(t, 1, toy{Do: "update", N: 5})
	b.append(t, 2, toy{Do: "insert"})
	r.headOf(t, b)
	limit(1, keepsOne)
	r.headOf(t, b)
	r.mustBeParked(t, 1, 0)
	if row := r.contents(t).Things[thingID(1)]; row.N != 5 {
		t.Errorf("its row is %+v", row)
	}
	if said := r.verify(t, b.Source); said != nil {
		t.Error(said)
	}
	counted := int64(0)
	goesOn := func(when string) {
		t.Helper()
		r.wait(t, b.append(t, 2, toy{Do: "update", N: 1}))
		if counted++; r.contents(t).Things[thingID(2)].N != counted {
			t.Errorf("%s, another thing is %+v, want %d", when, r.contents(t).Things[thingID(2)], counted)
		}
		all, err := r.Status(t.Context())
		for began := time.Now(); err == nil && all[0].State == CatchingUp && time.Since(began) < time.Minute; { // rows are shown before the status is noted
			all, err = r.Status(t.Context())
		}
		if err != nil || all[0].State != UpToDate || all[0].Parked != 1 || all[1].Parked != 1 {
			t.Errorf("%s: %+v, %v", when, all, err)
		}
	}
	goesOn("before a scavenge")
	if err := r.Retry(t.Context(), "things"); !errors.As(err, new(*eventstore.DamageError)) {
		t.Errorf("retried: %v", err)
	}
	r.mustBeParked(t, 1, 0)
	if err := r.Rebuild(t.Context(), RebuildOptions{}); err != nil {
		t.Fatal(err)
	}
	r.mustBeParked(t, 1, 0)
	if row := r.contents(t).Things[thingID(1)]; row.N != 5 {
		t.Errorf("rebuilt before a scavenge, its row is %+v", row)
	}

	server.Scavenge()
	r.end()
	r = b.start(t, home) // from the checkpoint
	goesOn("after a scavenge")
	r.mustBeParked(t, 1, 0)
	if err := r.Rebuild(t.Context(), RebuildOptions{}); err != nil {
		t.Fatal(err)
	}
	goesOn("rebuilt after a scavenge")
	r.mustBeParked(t, 1, 1)
	if row, found := r.contents(t).Things[thingID(1)]; found {
		t.Errorf("rebuilt from what is left, its row is %+v", row)
	}
	if said := r.verify(t, b.Source); said != nil {
		t.Error(said)
	}
	if err := b.Replay(t.Context(), Cut{}, filepath.Join(t.TempDir(), "replayed.db")); err != nil {
		t.Errorf("replayed: %v", err)
	}
	r.end()
	again := b.start(t, newHome(t)) // nothing is there yet
	again.headOf(t, b)
	again.mustBeParked(t, 1, 1)
}

// TestACheckpointWhoseEventIsGone has the last projected event scavenged, and nothing but a notice after it.
func TestACheckpointWhoseEventIsGone(t *testing.T) {
	for _, while := range []string{"it projects", "nobody does"} {
		t.Run(while, func(t *testing.T) {
			b, server, limit := newForgetful(t)
			home := newHome(t)
			r := b.start(t, home)
			b.append(t, 2, toy{Do: "insert"})
			b.append(t, 1, toy{Do: "insert"})
			r.headOf(t, b)
			if while == "nobody does" {
				r.end()
			}
			limit(1, func(m *client.StreamMetadata) { m.SetTruncateBefore(1) })
			b.appendTo(t, server, 1)
			server.Scavenge()
			r.end()
			r = b.start(t, home)
			r.wait(t, b.append(t, 2, toy{Do: "update", N: 7}))
			if row := r.contents(t).Things[thingID(2)]; row.N != 7 {
				t.Errorf("another thing is %+v", row)
			}
			if parked := r.parkedIn(t); len(parked) != 2 || !strings.Contains(parked[0], streamOf(1)) {
				t.Errorf("parked: %q", parked)
			}
		})
	}
}

// appendTo appends to a thing's stream past the store, which would refuse.
func (b *bench) appendTo(t *testing.T, server *esdbtest.Server, n int) {
	t.Helper()
	_, err := esdbtest.Admin(t, server.ConnectionString()).AppendToStream(context.WithoutCancel(t.Context()), "daybook."+streamOf(n), client.AppendToStreamOptions{ExpectedRevision: client.Any{}},
		client.EventData{EventType: "toy", ContentType: client.ContentTypeJson, Data: []byte(`{"Do":"update","N":1}`)})
	if err != nil {
		t.Fatal(err)
	}
}

// TestWhatWasNotScavengedComesBack: the limits are removed, and the thing is retried.
func TestWhatWasNotScavengedComesBack(t *testing.T) {
	b, server, limit := newForgetful(t)
	home := newHome(t)
	r := b.start(t, home)
	b.append(t, 1, toy{Do: "insert"})
	limit(1, keepsOne)
	b.appendTo(t, server, 1)
	r.headOf(t, b)
	r.mustBeParked(t, 1, 1)
	limit(1, func(*client.StreamMetadata) {})
	for _, projection := range []string{"things", "buckets"} {
		if err := r.Retry(t.Context(), projection); err != nil {
			t.Fatal(err)
		}
	}
	if row := r.contents(t).Things[thingID(1)]; row.N != 1 {
		t.Errorf("its row is %+v", row)
	}
	r.headOf(t, b)
	if parked := r.parkedIn(t); parked != nil {
		t.Errorf("parked: %q", parked)
	}
	if said := r.verify(t, b.Source); said != nil {
		t.Error(said)
	}
	r.end()
	server.Scavenge() // takes the older metadata
	r = b.start(t, home)
	b.last[thingID(1)] = 1
	r.wait(t, b.append(t, 1, toy{Do: "update", N: 2}))
	if row := r.contents(t).Things[thingID(1)]; row.N != 3 {
		t.Errorf("its row is %+v", row)
	}
}
