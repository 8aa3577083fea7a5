package esdb_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	client "github.com/EventStore/EventStore-Client-Go/v4/esdb"

	"daybook/eventstore"
	"daybook/eventstore/esdb"
	"daybook/eventstore/esdb/esdbtest"
)

// An admin does to streams what an administrator of the server can.
type admin struct {
	*client.Client
	t *testing.T
}

func administers(t *testing.T, connection string) admin {
	t.Helper()
	return admin{esdbtest.Admin(t, connection), t}
}

func (a admin) describes(stream string, set func(*client.StreamMetadata)) {
	a.t.Helper()
	var m client.StreamMetadata
	set(&m)
	if _, err := a.SetStreamMetadata(a.t.Context(), stream, client.AppendToStreamOptions{ExpectedRevision: client.Any{}}, m); err != nil {
		a.t.Fatal(err)
	}
}

// ways are the ways in which a server is told to forget events of a stream of five, and words of what is said about it.
var ways = map[string]struct {
	tell func(a admin, stream string)
	says string
}{
	"tombstone": {func(a admin, stream string) {
		if _, err := a.TombstoneStream(a.t.Context(), stream, client.TombstoneStreamOptions{ExpectedRevision: client.Any{}}); err != nil {
			a.t.Fatal(err)
		}
	}, "tombstone"},
	"soft deletion": {func(a admin, stream string) {
		if _, err := a.DeleteStream(a.t.Context(), stream, client.DeleteStreamOptions{ExpectedRevision: client.Any{}}); err != nil {
			a.t.Fatal(err)
		}
	}, "told to delete"},
	"max count": {func(a admin, stream string) {
		a.describes(stream, func(m *client.StreamMetadata) { m.SetMaxCount(1) })
	}, "$maxCount 1"},
	"max count that nothing exceeds yet": {func(a admin, stream string) {
		a.describes(stream, func(m *client.StreamMetadata) { m.SetMaxCount(100) })
	}, "$maxCount 100"},
	"max age": {func(a admin, stream string) {
		a.describes(stream, func(m *client.StreamMetadata) { m.SetMaxAge(time.Hour) })
	}, "$maxAge 3600"},
	"truncate before": {func(a admin, stream string) {
		a.describes(stream, func(m *client.StreamMetadata) { m.SetTruncateBefore(3) })
	}, "$tb 3"},
	"truncate before what is to come": {func(a admin, stream string) {
		a.describes(stream, func(m *client.StreamMetadata) { m.SetTruncateBefore(100) })
	}, "$tb 100"},
}

// TestForgetting has an administrator tell the server to forget events of one stream. It is that stream alone that cannot be used any
// more, and whoever follows is told.
func TestForgetting(t *testing.T) {
	t.Run("C26 a truncated stream is damaged, and no other", func(t *testing.T) {
		forgets(t, "truncate before", "truncate before what is to come")
	})
	t.Run("C27 a deleted stream is damaged, and no other", func(t *testing.T) { forgets(t, "soft deletion") })
	t.Run("C28 a stream with a tombstone is damaged, and no other", func(t *testing.T) { forgets(t, "tombstone") })
	t.Run("C55 a stream with maxCount is damaged, and no other", func(t *testing.T) {
		forgets(t, "max count", "max count that nothing exceeds yet")
	})
	t.Run("C56 a stream with maxAge is damaged, and no other", func(t *testing.T) { forgets(t, "max age") })
	t.Run("C58 metadata that limit nothing are no damage", noLimits)
}

func forgets(t *testing.T, names ...string) {
	for _, name := range names {
		t.Run(name, func(t *testing.T) {
			onBoth(t, func(t *testing.T, connection string) { forgetting(t, connection, name) })
		})
		t.Run(name+", and a scavenge", func(t *testing.T) { watch(t); scavenging(t, name) })
	}
}

func forgetting(t *testing.T, connection, name string) {
	way, opts := ways[name], esdb.Options{Prefix: prefix()}
	store, admin := openWith(t, connection, opts), administers(t, connection)
	appends(t, store, "quiet", eventstore.NoStream, events(3))
	appends(t, store, "a", eventstore.NoStream, events(5))
	appends(t, store, "last", eventstore.NoStream, events(1))
	way.tell(admin, opts.Prefix+"a")
	isRefused(t, store, "a", way.says)
	appends(t, store, "quiet", 2, events(1))

	told, last := follows(t, store, eventstore.Start)
	if damage := told["a"]; len(told) != 1 || damage == nil || damage.Position == eventstore.Start || !strings.Contains(damage.Error(), way.says) {
		t.Fatalf("the follower is told %v", told)
	}
	if head, err := store.Head(t.Context()); err != nil || head != last.Position {
		t.Errorf("the head is %d, %v, and the last that is followed %d", head, err, last.Position)
	}
	follows(t, store, told["a"].Position) // one continues from there
}

// scavenging scavenges too, which needs the stand-in.
func scavenging(t *testing.T, name string) {
	way, server := ways[name], start(t)
	store, admin := openWith(t, server.ConnectionString(), esdb.Options{}), administers(t, server.ConnectionString())
	appends(t, store, "quiet", eventstore.NoStream, events(3))
	middle := appends(t, store, "a", eventstore.NoStream, events(4)).Position
	end := appends(t, store, "a", 3, events(1)).Position
	way.tell(admin, "daybook.a")
	server.Scavenge()
	isRefused(t, store, "a", way.says)
	isRefused(t, openWith(t, server.ConnectionString(), esdb.Options{}), "a", way.says)
	appends(t, store, "quiet", 2, events(1))
	for _, after := range []eventstore.Position{eventstore.Start, middle, end} {
		if told, _ := follows(t, store, after); len(told) != 1 || told["a"] == nil || !strings.Contains(told["a"].Error(), way.says) {
			t.Errorf("who follows after %d is told %v", after, told)
		}
	}
}

// isRefused checks that a stream can neither be read, from wherever, nor written to.
func isRefused(t *testing.T, store *esdb.Store, stream, says string) {
	t.Helper()
	damaged := func(what string, err error) {
		t.Helper()
		damage, is := errors.AsType[*eventstore.DamageError](err)
		if !is || damage.Stream != stream || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v", what, err)
		}
	}
	for _, from := range []eventstore.Revision{0, 2, 4, 5, eventstore.Last} {
		for _, way := range []eventstore.Direction{eventstore.Forwards, eventstore.Backwards} {
			for _, limit := range []int{0, 1} {
				var last error
				for e, err := range store.Read(t.Context(), stream, from, way, limit) {
					if last = err; err == nil {
						t.Errorf("read revision %d", e.Revision)
					}
				}
				damaged(fmt.Sprintf("read from %d, forwards %t, limit %d", from, way, limit), last)
			}
		}
	}
	for _, expected := range []eventstore.Revision{eventstore.NoStream, 0, 4} {
		_, err := eventstore.AppendTo(t.Context(), store, stream, expected, events(1))
		damaged(fmt.Sprint("append at ", expected), err)
	}
}

// follows follows until it has caught up, and returns of which streams damage was told, and what came last.
func follows(t *testing.T, store *esdb.Store, after eventstore.Position) (told map[string]*eventstore.DamageError, last eventstore.Recorded) {
	t.Helper()
	told = map[string]*eventstore.DamageError{}
	for _, e := range rest(t, store, after) {
		if e.Position <= after {
			t.Errorf("position %d after %d", e.Position, after)
		}
		after, last = e.Position, e
		if e.Damage != nil && told[e.Stream] == nil {
			told[e.Stream] = e.Damage
		}
		if e.Notice != (e.Revision == eventstore.NoStream) {
			t.Errorf("%+v", e)
		}
	}
	return told, last
}

// TestForgettingUndone: what is not scavenged yet comes back.
func TestForgettingUndone(t *testing.T) {
	onBoth(t, func(t *testing.T, connection string) {
		opts := esdb.Options{Prefix: prefix()}
		store, admin := openWith(t, connection, opts), administers(t, connection)
		for name, way := range ways {
			if name == "tombstone" {
				continue
			}
			appends(t, store, name, eventstore.NoStream, events(5))
			way.tell(admin, opts.Prefix+name)
			isRefused(t, store, name, way.says)
			admin.describes(opts.Prefix+name, func(*client.StreamMetadata) {})
			admin.describes(opts.Prefix+name, func(*client.StreamMetadata) {}) // the first time, the server itself limits what was deleted
			appends(t, store, name, 4, events(1))
		}
		if told, _ := follows(t, store, eventstore.Start); len(told) > 0 {
			t.Errorf("the follower is told %v", told)
		}
	})
}

// TestAppendAfterRead: an append to a stream that was just read asks no more what the server was told to forget. The next one does.
func TestAppendAfterRead(t *testing.T) {
	t.Parallel()
	server := start(t)
	store, admin := openWith(t, server.ConnectionString(), esdb.Options{}), administers(t, server.ConnectionString())
	appends(t, store, "a", eventstore.NoStream, events(5))
	var asked atomic.Int32
	server.Break(esdbtest.Faults{Served: func(_, stream string) {
		if stream == "$$daybook.a" {
			asked.Add(1)
		}
	}})
	for _, err := range store.Read(t.Context(), "a", 0, eventstore.Forwards, 0) {
		if err != nil {
			t.Fatal(err)
		}
	}
	appends(t, store, "a", 4, events(1))
	if n := asked.Load(); n != 1 {
		t.Errorf("a read and an append asked %d times", n)
	}
	ways["max count that nothing exceeds yet"].tell(admin, "daybook.a")
	isRefused(t, store, "a", "$maxCount 100")
}

// noLimits: what tells the server to forget nothing is no damage, and neither is what happens to streams of others.
func noLimits(t *testing.T) {
	onBoth(t, func(t *testing.T, connection string) {
		opts := esdb.Options{Prefix: prefix()}
		store, other, admin := openWith(t, connection, opts), open(t, connection), administers(t, connection)
		given := events(2)
		appends(t, store, "a", eventstore.NoStream, given)
		admin.describes(opts.Prefix+"a", func(m *client.StreamMetadata) { m.AddCustomProperty("owner", "Nora") })
		admin.describes(opts.Prefix+"not yet", func(m *client.StreamMetadata) { m.AddCustomProperty("owner", "Nora") })
		foreign := prefix()
		appends(t, other, "a", eventstore.NoStream, events(3))
		for name, way := range ways {
			stream := foreign + name
			if _, err := admin.AppendToStream(t.Context(), stream, client.AppendToStreamOptions{ExpectedRevision: client.Any{}},
				client.EventData{EventType: "theirs", ContentType: client.ContentTypeJson, Data: []byte("{}")}); err != nil {
				t.Fatal(err)
			}
			way.tell(admin, stream)
		}
		told, last := follows(t, store, eventstore.Start)
		if len(told) > 0 || !last.Notice {
			t.Errorf("the follower is told %v, and at the end %+v", told, last)
		}
		if head, err := store.Head(t.Context()); err != nil || head != last.Position {
			t.Errorf("the head is %d, %v, and the last that is followed %d", head, err, last.Position)
		}
		appends(t, store, "a", 1, events(1))
		appends(t, store, "not yet", eventstore.NoStream, events(1))
		if told, _ := follows(t, store, last.Position); len(told) > 0 {
			t.Errorf("the follower is told %v", told)
		}
		if told, _ := follows(t, other, eventstore.Start); len(told) > 0 {
			t.Errorf("the other's follower is told %v", told)
		}
	})
}

// TestForgottenTraces: limits that were set, scavenged by, and removed again are noticed by what is missing.
func TestForgottenTraces(t *testing.T) {
	watch(t)
	server := start(t)
	store, admin := openWith(t, server.ConnectionString(), esdb.Options{}), administers(t, server.ConnectionString())
	appends(t, store, "a", eventstore.NoStream, events(5))
	admin.describes("daybook.a", func(m *client.StreamMetadata) { m.SetMaxCount(2) })
	server.Scavenge()
	admin.describes("daybook.a", func(*client.StreamMetadata) {})
	server.Scavenge()
	for _, way := range []eventstore.Direction{eventstore.Forwards, eventstore.Backwards} {
		from := eventstore.Revision(0)
		if way == eventstore.Backwards {
			from = eventstore.Last
		}
		var last error
		for _, last = range store.Read(t.Context(), "a", from, way, 0) {
		}
		if _, is := errors.AsType[*eventstore.DamageError](last); !is {
			t.Errorf("read forwards %t: %v", way, last)
		}
	}
	if told, _ := follows(t, store, eventstore.Start); told["a"] == nil {
		t.Errorf("the follower is told %v", told)
	}
}

// TestForgettingIsFollowed tells a follower at work.
func TestForgettingIsFollowed(t *testing.T) {
	for name, way := range ways {
		t.Run(name, func(t *testing.T) {
			onBoth(t, func(t *testing.T, connection string) {
				opts := esdb.Options{Prefix: prefix()}
				store, admin := openWith(t, connection, opts), administers(t, connection)
				appends(t, store, "a", eventstore.NoStream, events(5))
				var last *eventstore.DamageError
				for batch, err := range store.Follow(t.Context(), eventstore.Start) {
					if err != nil {
						t.Fatal(err)
					}
					if len(batch) == 0 {
						way.tell(admin, opts.Prefix+"a")
					}
					if i := slices.IndexFunc(batch, func(e eventstore.Recorded) bool { return e.Damage != nil }); i >= 0 {
						last = batch[i].Damage
						break
					}
				}
				if last.Stream != "a" || !strings.Contains(last.Error(), way.says) {
					t.Errorf("the follower is told %v", last)
				}
			})
		})
	}
}

// TestIdentityForgotten: no other log takes the place of one whose identity an administrator deleted.
func TestIdentityForgotten(t *testing.T) {
	for _, name := range []string{"soft deletion", "tombstone"} {
		watch(t)
		server := start(t)
		openWith(t, server.ConnectionString(), esdb.Options{}).Close()
		ways[name].tell(administers(t, server.ConnectionString()), "log:daybook.")
		for _, when := range []string{"before a scavenge", "after one"} {
			_, err := esdb.Open(t.Context(), server.ConnectionString(), esdb.Options{})
			if _, is := errors.AsType[*eventstore.DamageError](err); !is {
				t.Errorf("%s, %s: %v", name, when, err)
			}
			server.Scavenge()
		}
	}
}

// TestLostMeanwhile: a follower that was away while events were forgotten and scavenged is told, also if the stream goes on elsewhere.
func TestLostMeanwhile(t *testing.T) {
	watch(t)
	server := start(t)
	store, admin := openWith(t, server.ConnectionString(), esdb.Options{}), administers(t, server.ConnectionString())
	appends(t, store, "a", eventstore.NoStream, events(2))
	after := appends(t, store, "quiet", eventstore.NoStream, events(1)).Position
	appends(t, store, "a", 1, events(5))
	admin.describes("daybook.a", func(m *client.StreamMetadata) { m.SetMaxCount(1) })
	server.Scavenge()
	var first *eventstore.Recorded
	for _, e := range rest(t, store, after) {
		if e.Stream == "a" && first == nil {
			first = &e
		}
	}
	if first == nil || first.Notice || first.Damage == nil || first.Revision != 6 {
		t.Errorf("the first of the stream is %+v", first)
	}
}

// TestTrimmedLater needs a server of a later version.
func TestTrimmedLater(t *testing.T) {
	watch(t)
	server := startVersion(t, "25.0.0")
	store, admin := openWith(t, server.ConnectionString(), esdb.Options{}), administers(t, server.ConnectionString())
	end := appends(t, store, "a", eventstore.NoStream, events(5)).Position
	ways["soft deletion"].tell(admin, "daybook.a")
	server.Scavenge()
	if told, _ := follows(t, store, end); told["a"] == nil {
		t.Errorf("who follows from an event that is gone is told %v", told)
	}
}
