package esdb_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"

	"daybook/eventstore"
	"daybook/eventstore/esdb"
	"daybook/eventstore/esdb/esdbtest"
)

// checks returns what a check finds, and how many events it reads.
func checks(t *testing.T, store *esdb.Store) (found []string, events int64) {
	t.Helper()
	last := int64(0)
	events, err := store.Check(t.Context(), func(err error) {
		if damage, is := errors.AsType[*eventstore.DamageError](err); !is || damage.Stream == "" {
			t.Errorf("found %v", err)
		}
		found = append(found, err.Error())
	}, func(done, total int64) {
		if done < last || done > total {
			t.Errorf("after %d, %d of %d is done", last, done, total)
		}
		last = done
	})
	if err != nil {
		t.Fatal(err)
	}
	return found, events
}

func TestCheck(t *testing.T) {
	t.Run("a whole log", func(t *testing.T) {
		onBoth(t, func(t *testing.T, connection string) {
			store, other := open(t, connection), open(t, connection)
			for i := range 20 {
				appends(t, store, fmt.Sprint("stream-", i), eventstore.NoStream, events(3))
				appends(t, other, "theirs", eventstore.Revision(i)-1, events(1))
			}
			if found, events := checks(t, store); found != nil || events != 60 {
				t.Errorf("%d events, %q", events, found)
			}
			if found, events := checks(t, open(t, connection)); found != nil || events != 0 {
				t.Errorf("an empty log: %d events, %q", events, found)
			}
		})
	})
	t.Run("what the server was told to forget", func(t *testing.T) {
		onBoth(t, func(t *testing.T, connection string) {
			opts := esdb.Options{Prefix: prefix()}
			store, admin := openWith(t, connection, opts), administers(t, connection)
			appends(t, store, "quiet", eventstore.NoStream, events(3))
			for name := range ways {
				appends(t, store, name, eventstore.NoStream, events(5))
				ways[name].tell(admin, opts.Prefix+name)
			}
			mustFindAll(t, store)
		})
	})
	t.Run("what the server has scavenged", func(t *testing.T) {
		watch(t)
		server := start(t)
		store, admin := openWith(t, server.ConnectionString(), esdb.Options{}), administers(t, server.ConnectionString())
		appends(t, store, "quiet", eventstore.NoStream, events(3))
		for name := range ways {
			appends(t, store, name, eventstore.NoStream, events(5))
			ways[name].tell(admin, "daybook."+name)
		}
		server.Scavenge()
		mustFindAll(t, store)
	})
	t.Run("a stream whose index lacks its end", func(t *testing.T) {
		watch(t)
		server := start(t)
		store := open(t, server.ConnectionString())
		appends(t, store, "a", eventstore.NoStream, events(3))
		appends(t, store, "b", eventstore.NoStream, events(3))
		reads := 0
		server.Break(esdbtest.Faults{Answer: func(m *streams.ReadResp) ([]*streams.ReadResp, error) {
			e := m.GetEvent().GetEvent()
			if e.GetStreamRevision() == 2 && strings.HasSuffix(string(e.GetStreamIdentifier().GetStreamName()), ".a") {
				if reads++; reads > 1 { // the first is the log's
					return nil, nil
				}
			}
			return []*streams.ReadResp{m}, nil
		}})
		if found, _ := checks(t, store); len(found) != 1 || !strings.Contains(found[0], "(stream a): read by itself it ends at revision 1, and in the log at 2") {
			t.Errorf("found %q", found)
		}
	})
	t.Run("an event that is missing in the log", func(t *testing.T) {
		watch(t)
		server := start(t)
		store := open(t, server.ConnectionString())
		appends(t, store, "a", eventstore.NoStream, events(3))
		server.Break(esdbtest.Faults{Answer: func(m *streams.ReadResp) ([]*streams.ReadResp, error) {
			if m.GetEvent().GetEvent().GetStreamRevision() == 1 {
				return nil, nil
			}
			return []*streams.ReadResp{m}, nil
		}})
		if found, events := checks(t, store); events != 2 || len(found) != 1 || !strings.Contains(found[0], "revision 2 follows revision 0") {
			t.Errorf("%d events, %q", events, found)
		}
	})
	t.Run("a caller who leaves", func(t *testing.T) {
		watch(t)
		store := open(t, start(t).ConnectionString())
		appends(t, store, "a", eventstore.NoStream, events(3))
		ctx, leave := context.WithCancel(t.Context())
		_, err := store.Check(ctx, func(error) {}, func(int64, int64) { leave() })
		if !errors.Is(err, context.Canceled) {
			t.Errorf("Check: %v", err)
		}
	})
}

// mustFindAll checks that each stream named after a way is found, once, with what was done to it, and nothing else.
func mustFindAll(t *testing.T, store *esdb.Store) {
	t.Helper()
	found, _ := checks(t, store)
	for name, way := range ways {
		is := func(text string) bool {
			return strings.Contains(text, "(stream "+name+")") && strings.Contains(text, way.says) && strings.Contains(text, "at position")
		}
		if i := slices.IndexFunc(found, is); i < 0 {
			t.Errorf("%s is not in %q", name, found)
		}
	}
	if len(found) != len(ways) {
		t.Errorf("found %q", found)
	}
}
