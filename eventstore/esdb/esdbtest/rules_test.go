package esdbtest_test

import (
	"context"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"
	features "github.com/EventStore/EventStore-Client-Go/v4/protos/serverfeatures"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/shared"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
	"github.com/google/uuid"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"daybook/eventstore/esdb/esdbtest"
)

// realServer is the environment variable with the connection string of a server to which tests may write.
const realServer = "DAYBOOK_TEST_ESDB"

// TestRules checks the server's rules, through the official client and, where that hides them,
// through the protocol. A real server decides: the stand-in must behave the same.
func TestRules(t *testing.T) {
	t.Run("stand-in", func(t *testing.T) { rules(t, start(t, esdbtest.Options{}).ConnectionString()) })
	t.Run("stand-in of a later version", func(t *testing.T) {
		rules(t, start(t, esdbtest.Options{Version: "25.0.0"}).ConnectionString())
	})
	t.Run("server", func(t *testing.T) {
		connection := os.Getenv(realServer)
		if connection == "" {
			t.Skip(realServer + " names no server")
		}
		rules(t, connection)
	})
}

func rules(t *testing.T, connection string) {
	for name, rule := range map[string]func(*testing.T, *desk){
		"append":                appendRules,
		"append nothing":        appendNothing,
		"positions":             positionRules,
		"read a stream":         streamRules,
		"delete softly":         softDeleteRules,
		"tombstone":             tombstoneRules,
		"metadata":              metadataRules,
		"what is forgotten":     forgettingRules,
		"max age":               ageRules,
		"events":                eventRules,
		"sizes":                 sizeRules,
		"subscribe to a stream": streamSubscriptionRules,
		"subscribe to all":      allSubscriptionRules,
		"filters":               filterRules,
		"wire":                  wireRules,
	} {
		t.Run(name, func(t *testing.T) { rule(t, newDesk(t, connection)) })
	}
}

func start(t *testing.T, opts esdbtest.Options) *esdbtest.Server {
	t.Helper()
	server := esdbtest.NewServer(opts)
	t.Cleanup(server.Close)
	return server
}

// A desk is what a rule is tested with: a client, the protocol below it, and names that nothing else uses.
type desk struct {
	*esdb.Client
	t       *testing.T
	ctx     context.Context
	raw     streams.StreamsClient
	headers []string
	version string
	mine    string
	named   int
}

func newDesk(t *testing.T, connection string) *desk {
	t.Helper()
	config, err := esdb.ParseConnectionString(connection)
	if err != nil {
		t.Fatal(err)
	}
	config.Logger = esdb.NoopLogging()
	client, err := esdb.NewClient(config)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute) // ends a test that hangs; no result depends on it
	d := &desk{Client: client, t: t, ctx: ctx, mine: "rules-" + uuid.NewString()}
	transport := insecure.NewCredentials()
	if !config.DisableTLS {
		transport = credentials.NewTLS(&tls.Config{RootCAs: config.RootCAs, InsecureSkipVerify: config.SkipCertificateVerification})
		d.headers = []string{"authorization", "Basic " + base64.StdEncoding.EncodeToString([]byte(config.Username+":"+config.Password))}
	}
	address := config.Address
	if len(config.GossipSeeds) > 0 {
		address = config.GossipSeeds[0].String()
	}
	conn, err := grpc.NewClient(address, grpc.WithTransportCredentials(transport))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cancel(); client.Close(); conn.Close() })
	d.raw = streams.NewStreamsClient(conn)
	supported, err := features.NewServerFeaturesClient(conn).GetSupportedMethods(d.out(), &shared.Empty{})
	if err != nil {
		t.Fatal(err)
	}
	d.version = supported.EventStoreServerVersion
	return d
}

// out is the context of a call through the protocol.
func (d *desk) out() context.Context { return metadata.AppendToOutgoingContext(d.ctx, d.headers...) }

// modern reports whether the server is later than 23.10, after which some of its answers changed.
func (d *desk) modern() bool { return !strings.HasPrefix(d.version, "23.10.") }

// in is the same desk in a subtest.
func (d desk) in(t *testing.T) *desk {
	d.t = t
	return &d
}

func (d *desk) stream() string {
	d.named++
	return fmt.Sprintf("%s-%d", d.mine, d.named)
}

func event(id uuid.UUID) esdb.EventData {
	return esdb.EventData{EventID: id, EventType: "happened", ContentType: esdb.ContentTypeJson, Data: []byte(`{}`)}
}

func events(n int) []esdb.EventData {
	made := make([]esdb.EventData, n)
	for i := range made {
		made[i] = event(uuid.New())
	}
	return made
}

func (d *desk) appends(stream string, expected esdb.ExpectedRevision, given ...esdb.EventData) *esdb.WriteResult {
	d.t.Helper()
	got, err := d.AppendToStream(d.ctx, stream, esdb.AppendToStreamOptions{ExpectedRevision: expected}, given...)
	if err != nil {
		d.t.Fatalf("append: %v", err)
	}
	return got
}

// has makes a stream of n events.
func (d *desk) has(n int) (string, []esdb.EventData) {
	d.t.Helper()
	stream, given := d.stream(), events(n)
	d.appends(stream, esdb.NoStream{}, given...)
	return stream, given
}

// reads reads a stream forwards from its start.
func (d *desk) reads(stream string) ([]*esdb.RecordedEvent, error) {
	return collect(d.ReadStream(d.ctx, stream, esdb.ReadStreamOptions{From: esdb.Start{}}, math.MaxUint64))
}

func collect(reading *esdb.ReadStream, err error) ([]*esdb.RecordedEvent, error) {
	if err != nil {
		return nil, err
	}
	defer reading.Close()
	var got []*esdb.RecordedEvent
	for {
		e, err := reading.Recv()
		if errors.Is(err, io.EOF) {
			return got, nil
		}
		if err != nil {
			return got, err
		}
		got = append(got, e.Event)
	}
}

func (d *desk) fails(what string, err error, want esdb.ErrorCode) {
	d.t.Helper()
	var failed *esdb.Error
	if !errors.As(err, &failed) || failed.Code() != want {
		d.t.Errorf("%s: %v, want code %d", what, err, want)
	}
}

// failsWith checks for an error whose code the client does not know.
func (d *desk) failsWith(what string, err error, want codes.Code) {
	d.t.Helper()
	if code, message := refusal(err); code != want {
		d.t.Errorf("%s: %v, %s, want %v", what, code, message, want)
	}
}

// refusal is the server's error, without what the client makes of it.
func refusal(err error) (codes.Code, string) {
	var failed *esdb.Error
	for errors.As(err, &failed) {
		err = failed.Err()
	}
	s, _ := status.FromError(err)
	return s.Code(), s.Message()
}

func (d *desk) revisions(stream string, want ...uint64) {
	d.t.Helper()
	got, err := d.reads(stream)
	if err != nil {
		d.t.Fatalf("read %s: %v", stream, err)
	}
	var numbers []uint64
	for _, e := range got {
		numbers = append(numbers, e.EventNumber)
	}
	if !slices.Equal(numbers, want) {
		d.t.Errorf("%s holds the revisions %v, want %v", stream, numbers, want)
	}
}

// appendRules tests appends to a stream that holds A and B. X is new.
func appendRules(t *testing.T, d *desk) {
	exact := func(n uint64) esdb.ExpectedRevision { return esdb.Revision(n) }
	const conflict = -1
	for _, c := range []struct {
		name     string
		expected esdb.ExpectedRevision
		events   string
		want     int // revision
		written  int // events
	}{
		{"all again at no stream", esdb.NoStream{}, "AB", 1, 0},
		{"the first again at no stream", esdb.NoStream{}, "A", 0, 0},
		{"the second again at its revision", exact(0), "B", 1, 0},
		{"all again at any", esdb.Any{}, "AB", 1, 0},
		{"all again where it exists", esdb.StreamExists{}, "AB", 1, 0},
		{"the second again at any", esdb.Any{}, "B", 1, 0},
		{"turned round at any", esdb.Any{}, "BA", 0, 0},
		{"part of it new at no stream", esdb.NoStream{}, "AX", conflict, 0},
		{"part of it new at any", esdb.Any{}, "AX", conflict, 0},
		{"part of it new where it exists", esdb.StreamExists{}, "AX", conflict, 0},
		{"the new first at any", esdb.Any{}, "XA", 3, 2},
		{"the same at the end", exact(1), "A", 2, 1},
		{"new at the end", exact(1), "X", 2, 1},
		{"new at no stream", esdb.NoStream{}, "X", conflict, 0},
		{"new too low", exact(0), "X", conflict, 0},
		{"new too high", exact(5), "X", conflict, 0},
		{"all again too high", exact(5), "AB", conflict, 0},
		{"nothing too low", exact(0), "", conflict, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			stream, d := d.stream(), d.in(t)
			held := map[rune]esdb.EventData{'A': event(uuid.New()), 'B': event(uuid.New()), 'X': event(uuid.New())}
			first := d.appends(stream, esdb.NoStream{}, held['A'], held['B'])
			var given []esdb.EventData
			for _, letter := range c.events {
				given = append(given, held[letter])
			}
			got, err := d.AppendToStream(d.ctx, stream, esdb.AppendToStreamOptions{ExpectedRevision: c.expected}, given...)
			switch {
			case c.want == conflict:
				d.fails("append", err, esdb.ErrorCodeWrongExpectedVersion)
			case err != nil:
				t.Fatalf("append: %v", err)
			case got.NextExpectedVersion != uint64(c.want):
				t.Errorf("revision %d, want %d", got.NextExpectedVersion, c.want)
			case c.written == 0 && c.want == 1 && got.CommitPosition != first.CommitPosition:
				t.Errorf("position %d, first %d", got.CommitPosition, first.CommitPosition)
			}
			if all, err := d.reads(stream); err != nil || len(all) != 2+c.written {
				t.Errorf("the stream holds %d events, %v, want %d", len(all), err, 2+c.written)
			}
		})
	}

	d.fails("append where nothing exists", d.appendFails(d.stream(), esdb.StreamExists{}, events(1)), esdb.ErrorCodeWrongExpectedVersion)
	d.fails("append beyond what is missing", d.appendFails(d.stream(), exact(0), events(1)), esdb.ErrorCodeWrongExpectedVersion)
	_, given := d.has(1)
	other := d.stream()
	d.appends(other, esdb.NoStream{}, given...)
	d.revisions(other, 0)
	described := d.stream()
	d.describes(described, func(*esdb.StreamMetadata) {})
	d.appends(described, esdb.StreamExists{}, events(1)...)
	d.revisions(described, 0)
}

func (d *desk) appendFails(stream string, expected esdb.ExpectedRevision, given []esdb.EventData) error {
	_, err := d.AppendToStream(d.ctx, stream, esdb.AppendToStreamOptions{ExpectedRevision: expected}, given...)
	return err
}

// appendNothing uses the protocol, because the client invents a revision.
func appendNothing(t *testing.T, d *desk) {
	reply, err := d.send(d.stream(), &streams.AppendReq_Options{ExpectedStreamRevision: &streams.AppendReq_Options_Any{Any: &shared.Empty{}}})
	if err != nil || reply.GetSuccess().GetNoStream() == nil {
		t.Errorf("nothing to a new stream: %v, %v", reply, err)
	}
	stream, _ := d.has(3)
	for _, options := range []*streams.AppendReq_Options{
		{ExpectedStreamRevision: &streams.AppendReq_Options_Any{Any: &shared.Empty{}}},
		{ExpectedStreamRevision: &streams.AppendReq_Options_Revision{Revision: 2}},
	} {
		reply, err := d.send(stream, options)
		if err != nil || reply.GetSuccess().GetCurrentRevision() != 2 {
			t.Errorf("nothing: %v, %v", reply, err)
		}
	}
}

// send appends through the protocol.
func (d *desk) send(stream string, options *streams.AppendReq_Options, given ...*streams.AppendReq_ProposedMessage) (*streams.AppendResp, error) {
	call, err := d.raw.Append(d.out())
	if err != nil {
		return nil, err
	}
	options.StreamIdentifier = &shared.StreamIdentifier{StreamName: []byte(stream)}
	_ = call.Send(&streams.AppendReq{Content: &streams.AppendReq_Options_{Options: options}}) // the answer tells
	for _, e := range given {
		_ = call.Send(&streams.AppendReq{Content: &streams.AppendReq_ProposedMessage_{ProposedMessage: e}})
	}
	return call.CloseAndRecv()
}

func positionRules(t *testing.T, d *desk) {
	stream, given := d.has(3)
	done := d.appends(stream, esdb.Revision(2), events(1)...)
	all, err := d.reads(stream)
	if err != nil || len(all) != 4 {
		t.Fatalf("read %d events, %v", len(all), err)
	}
	for i, e := range all {
		if e.EventNumber != uint64(i) || i > 0 && e.Position.Commit <= all[i-1].Position.Commit {
			t.Errorf("event %d is at revision %d and position %v", i, e.EventNumber, e.Position)
		}
		if e.Position.Commit != e.Position.Prepare {
			t.Errorf("event %d has two positions, %v", i, e.Position)
		}
	}
	if all[3].Position.Commit != done.CommitPosition {
		t.Errorf("the append said %d, and the event is at %d", done.CommitPosition, all[3].Position.Commit)
	}
	read := func(way esdb.Direction, from esdb.AllPosition, n uint64) []*esdb.RecordedEvent {
		t.Helper()
		got, err := collect(d.ReadAll(d.ctx, esdb.ReadAllOptions{Direction: way, From: from}, n))
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	if got := read(esdb.Forwards, all[1].Position, 1); len(got) != 1 || got[0].EventID != given[1].EventID {
		t.Errorf("forwards from an event: %v", got)
	}
	if got := read(esdb.Backwards, all[1].Position, 1); len(got) != 1 || got[0].EventID == given[1].EventID {
		t.Errorf("backwards from an event: %v", got)
	}
	if got := read(esdb.Forwards, esdb.End{}, 1); len(got) != 0 {
		t.Errorf("forwards from the end: %v", got)
	}
	if got := read(esdb.Backwards, esdb.Start{}, 1); len(got) != 0 {
		t.Errorf("backwards from the start: %v", got)
	}
	beyond := esdb.Position{Commit: all[3].Position.Commit + 1<<40, Prepare: all[3].Position.Commit + 1<<40}
	if got := read(esdb.Forwards, beyond, 1); len(got) != 0 {
		t.Errorf("forwards from beyond the end: %v", got)
	}
	between := esdb.Position{Commit: all[1].Position.Commit + 1, Prepare: all[1].Position.Commit + 1}
	_, err = collect(d.ReadAll(d.ctx, esdb.ReadAllOptions{From: between}, 1))
	switch code, message := refusal(err); {
	case !d.modern() && (code != codes.Unknown || message != "Unexpected ReadAllResult: Error"),
		d.modern() && code != codes.InvalidArgument && (code != codes.Unknown || message != "Unexpected ReadAllResult: InvalidPosition"):
		t.Errorf("read from within an event: %v, %s", code, message)
	}
}

func streamRules(t *testing.T, d *desk) {
	stream, _ := d.has(5)
	for _, c := range []struct {
		name  string
		way   esdb.Direction
		from  esdb.StreamPosition
		count uint64
		want  []uint64
	}{
		{"from the start", esdb.Forwards, esdb.Start{}, 10, []uint64{0, 1, 2, 3, 4}},
		{"from an event, that one included", esdb.Forwards, esdb.Revision(3), 10, []uint64{3, 4}},
		{"a few", esdb.Forwards, esdb.Revision(1), 2, []uint64{1, 2}},
		{"from beyond the end", esdb.Forwards, esdb.Revision(9), 10, nil},
		{"backwards from the end", esdb.Backwards, esdb.End{}, 2, []uint64{4, 3}},
		{"backwards from an event, that one included", esdb.Backwards, esdb.Revision(1), 10, []uint64{1, 0}},
		{"backwards from beyond the end", esdb.Backwards, esdb.Revision(100), 1, []uint64{4}},
	} {
		got, err := collect(d.ReadStream(d.ctx, stream, esdb.ReadStreamOptions{Direction: c.way, From: c.from}, c.count))
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
		}
		var numbers []uint64
		for _, e := range got {
			numbers = append(numbers, e.EventNumber)
		}
		if !slices.Equal(numbers, c.want) {
			t.Errorf("%s: %v, want %v", c.name, numbers, c.want)
		}
	}
	_, err := d.reads(d.stream())
	d.fails("a missing stream", err, esdb.ErrorCodeResourceNotFound)
	_, err = collect(d.ReadStream(d.ctx, stream, esdb.ReadStreamOptions{From: esdb.End{}}, 1))
	d.failsWith("forwards from the end", err, codes.Unknown)
	_, err = collect(d.ReadStream(d.ctx, stream, esdb.ReadStreamOptions{From: esdb.Start{}}, 0))
	d.failsWith("none", err, codes.Unknown)
}

func softDeleteRules(t *testing.T, d *desk) {
	deletes := func(stream string, expected esdb.ExpectedRevision) error {
		_, err := d.DeleteStream(d.ctx, stream, esdb.DeleteStreamOptions{ExpectedRevision: expected})
		return err
	}
	for name, expected := range map[string]esdb.ExpectedRevision{"no stream": esdb.NoStream{}, "any": esdb.Any{}, "its last": esdb.Revision(1)} {
		stream, _ := d.has(2)
		d.failsWith("delete at the wrong revision", deletes(stream, esdb.Revision(0)), codes.FailedPrecondition)
		if err := errors.Join(deletes(stream, esdb.Revision(1)), deletes(stream, esdb.Any{})); err != nil {
			t.Fatal(err)
		}
		_, err := d.reads(stream)
		d.fails("read what was deleted", err, esdb.ErrorCodeResourceNotFound)
		d.fails("append where it exists", d.appendFails(stream, esdb.StreamExists{}, events(1)), esdb.ErrorCodeStreamDeleted)
		if got := d.appends(stream, expected, events(2)...); got.NextExpectedVersion != 3 {
			t.Errorf("written again at %s: revision %d", name, got.NextExpectedVersion)
		}
		d.revisions(stream, 2, 3)
		described, err := d.GetStreamMetadata(d.ctx, stream, esdb.ReadStreamOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if before := described.TruncateBefore(); before == nil || *before != 2 {
			t.Errorf("it is truncated before %v, want 2", before)
		}
	}
	d.failsWith("delete what never was", deletes(d.stream(), esdb.Any{}), codes.FailedPrecondition)

	stream, _ := d.has(2)
	if err := errors.Join(deletes(stream, esdb.Any{}), deletes(stream, esdb.NoStream{})); err != nil {
		t.Errorf("delete again at no stream: %v", err)
	}
	described := d.stream()
	d.describes(described, func(m *esdb.StreamMetadata) { m.SetMaxCount(5) })
	if err := deletes(described, esdb.NoStream{}); err != nil {
		t.Errorf("delete what has only metadata: %v", err)
	}

	// Writing metadata of a deleted stream brings it back, without the deleted events.
	d.describes(stream, func(m *esdb.StreamMetadata) { m.SetMaxCount(5) })
	d.revisions(stream)
	d.bounds(stream, 2, 5)
	d.appends(stream, esdb.Revision(1), events(1)...)
	d.revisions(stream, 2)

	// Writing events, or none, to a stream that was deleted by its metadata keeps the rest of the metadata.
	for name, given := range map[string][]esdb.EventData{"events": events(1), "nothing": nil} {
		t.Run(name, func(t *testing.T) {
			stream, d := d.stream(), d.in(t)
			d.appends(stream, esdb.NoStream{}, events(2)...)
			d.describes(stream, func(m *esdb.StreamMetadata) { m.SetMaxCount(5); m.SetTruncateBefore(math.MaxInt64) })
			_, err := d.reads(stream)
			d.fails("read what was deleted by metadata", err, esdb.ErrorCodeResourceNotFound)
			d.appends(stream, esdb.Revision(1), given...)
			d.bounds(stream, 2, 5)
		})
	}
}

// describes writes the metadata of a stream.
func (d *desk) describes(stream string, set func(*esdb.StreamMetadata)) {
	d.t.Helper()
	var m esdb.StreamMetadata
	set(&m)
	if _, err := d.SetStreamMetadata(d.ctx, stream, esdb.AppendToStreamOptions{ExpectedRevision: esdb.Any{}}, m); err != nil {
		d.t.Fatal(err)
	}
}

// bounds checks the metadata of a stream.
func (d *desk) bounds(stream string, truncated, count uint64) {
	d.t.Helper()
	m, err := d.GetStreamMetadata(d.ctx, stream, esdb.ReadStreamOptions{})
	if err != nil {
		d.t.Fatal(err)
	}
	if t, n := m.TruncateBefore(), m.MaxCount(); t == nil || *t != truncated || n == nil || *n != count {
		d.t.Errorf("%s is truncated before %v, with at most %v events, want %d and %d", stream, t, n, truncated, count)
	}
}

func tombstoneRules(t *testing.T, d *desk) {
	buries := func(stream string, expected esdb.ExpectedRevision) error {
		_, err := d.TombstoneStream(d.ctx, stream, esdb.TombstoneStreamOptions{ExpectedRevision: expected})
		return err
	}
	stream, _ := d.has(2)
	d.failsWith("at the wrong revision", buries(stream, esdb.Revision(0)), codes.FailedPrecondition)
	missing := d.stream()
	buried, err := d.TombstoneStream(d.ctx, stream, esdb.TombstoneStreamOptions{ExpectedRevision: esdb.Revision(1)})
	if err := errors.Join(err, buries(missing, esdb.Any{}), buries(d.stream(), esdb.NoStream{})); err != nil {
		t.Fatal(err)
	}
	for _, gone := range []string{stream, missing} {
		_, err := d.reads(gone)
		d.fails("read", err, esdb.ErrorCodeStreamDeleted)
		d.fails("append", d.appendFails(gone, esdb.Any{}, events(1)), esdb.ErrorCodeStreamDeleted)
		d.fails("tombstone again", buries(gone, esdb.Any{}), esdb.ErrorCodeStreamDeleted)
		_, err = d.GetStreamMetadata(d.ctx, gone, esdb.ReadStreamOptions{})
		d.fails("metadata", err, esdb.ErrorCodeStreamDeleted)
	}
	shown, err := collect(d.ReadAll(d.ctx, esdb.ReadAllOptions{From: buried.Position}, 1))
	if err != nil {
		t.Fatal(err)
	}
	if len(shown) != 1 || shown[0].StreamID != stream || shown[0].EventType != "$streamDeleted" || shown[0].EventNumber != math.MaxInt64 {
		t.Errorf("the log shows %v, want the tombstone", shown)
	}

	followed, given := d.has(1)
	sub, err := d.SubscribeToStream(d.ctx, followed, esdb.SubscribeToStreamOptions{From: esdb.Start{}})
	if err != nil {
		t.Fatal(err)
	}
	defer sub.Close()
	if e := next(t, sub); e.EventAppeared == nil || e.EventAppeared.Event.EventID != given[0].EventID {
		t.Fatalf("%+v, want event %v", e, given[0].EventID)
	}
	if e := next(t, sub); e.CaughtUp == nil {
		t.Fatalf("%+v, want to have caught up", e)
	}
	if err := buries(followed, esdb.Any{}); err != nil {
		t.Fatal(err)
	}
	if e := next(t, sub); e.EventAppeared == nil || e.EventAppeared.Event.EventType != "$streamDeleted" {
		t.Errorf("%+v, want the tombstone", e)
	}
}

func metadataRules(t *testing.T, d *desk) {
	stream, _ := d.has(5)
	if _, err := d.GetStreamMetadata(d.ctx, stream, esdb.ReadStreamOptions{}); err == nil {
		t.Error("a stream without metadata has some")
	}
	d.describes(stream, func(m *esdb.StreamMetadata) { m.SetMaxCount(2) })
	d.revisions(stream, 3, 4)
	d.describes(stream, func(m *esdb.StreamMetadata) { m.SetTruncateBefore(1) })
	d.revisions(stream, 1, 2, 3, 4)
	d.revisions("$$"+stream, 1)
	d.describes(stream, func(m *esdb.StreamMetadata) { m.SetMaxAge(time.Hour) })
	d.revisions(stream, 0, 1, 2, 3, 4)
	d.appends(stream, esdb.Revision(4), events(1)...)
	d.revisions(stream, 0, 1, 2, 3, 4, 5)
}

// forgets are the ways in which a server is told to forget events of a stream of five, and how many of them a scavenge leaves.
var forgets = map[string]struct {
	tell      func(d *desk, stream string)
	readable  []uint64 // by stream; nil: it is missing, or has a tombstone
	scavenged []uint64 // in $all
}{
	"soft deletion": {func(d *desk, stream string) {
		if _, err := d.DeleteStream(d.ctx, stream, esdb.DeleteStreamOptions{ExpectedRevision: esdb.Any{}}); err != nil {
			d.t.Fatal(err)
		}
	}, nil, []uint64{4}},
	"tombstone": {func(d *desk, stream string) {
		if _, err := d.TombstoneStream(d.ctx, stream, esdb.TombstoneStreamOptions{ExpectedRevision: esdb.Any{}}); err != nil {
			d.t.Fatal(err)
		}
	}, nil, []uint64{math.MaxInt64}},
	"max count": {func(d *desk, stream string) {
		d.describes(stream, func(m *esdb.StreamMetadata) { m.SetMaxCount(2) })
	}, []uint64{3, 4}, []uint64{3, 4}},
	"truncate before": {func(d *desk, stream string) {
		d.describes(stream, func(m *esdb.StreamMetadata) { m.SetTruncateBefore(3) })
	}, []uint64{3, 4}, []uint64{3, 4}},
	"truncate before what is to come": {func(d *desk, stream string) {
		d.describes(stream, func(m *esdb.StreamMetadata) { m.SetTruncateBefore(9) })
	}, []uint64{}, []uint64{4}},
}

// forgettingRules: what hides events of a stream from those who read it leaves them in $all, and is there itself.
func forgettingRules(t *testing.T, d *desk) {
	for name, way := range forgets {
		t.Run(name, func(t *testing.T) {
			d, other := d.in(t), d.mine+"-other-"+strings.ReplaceAll(name, " ", "-")
			d.appends(other, esdb.NoStream{}, events(1)...)
			begin, err := d.reads(other)
			if err != nil {
				t.Fatal(err)
			}
			stream := d.mine + "-" + strings.ReplaceAll(name, " ", "-")
			d.appends(stream, esdb.NoStream{}, events(5)...)
			way.tell(d, stream)
			if _, err := d.reads(stream); way.readable == nil && err == nil {
				t.Error("it can be read")
			}
			if way.readable != nil {
				d.revisions(stream, way.readable...)
			}
			own, about := d.shown(stream, begin[0].Position)
			want := []uint64{0, 1, 2, 3, 4}
			if name == "tombstone" {
				want = append(want, math.MaxInt64)
			} else if len(about) != 1 {
				t.Errorf("all shows the metadata %v", about)
			}
			if !slices.Equal(own, want) {
				t.Errorf("all shows the revisions %v, want %v", own, want)
			}
		})
	}
}

// shown returns the revisions of a stream, and of its metadata, that are in $all after a position.
func (d *desk) shown(stream string, after esdb.Position) (own, about []uint64) {
	d.t.Helper()
	filter := &esdb.SubscriptionFilter{Type: esdb.StreamFilterType, Prefixes: []string{stream, "$$" + stream}}
	sub, err := d.SubscribeToAll(d.ctx, esdb.SubscribeToAllOptions{From: after, Filter: filter, MaxSearchWindow: 1024, CheckpointInterval: 1})
	if err != nil {
		d.t.Fatal(err)
	}
	defer sub.Close()
	for e := next(d.t, sub); e.CaughtUp == nil; e = next(d.t, sub) {
		switch {
		case e.EventAppeared == nil:
		case e.EventAppeared.Event.StreamID == stream:
			own = append(own, e.EventAppeared.Event.EventNumber)
		case e.EventAppeared.Event.StreamID == "$$"+stream:
			about = append(about, e.EventAppeared.Event.EventNumber)
		}
	}
	return own, about
}

// ageRules waits until a stream's events are older than its metadata allow. It then exists, and holds nothing.
func ageRules(t *testing.T, d *desk) {
	stream, _ := d.has(2)
	d.describes(stream, func(m *esdb.StreamMetadata) { m.SetMaxAge(time.Second) })
	for {
		got, err := d.reads(stream)
		if err != nil {
			t.Fatal(err)
		}
		if len(got) == 0 {
			break
		}
	}
	d.appends(stream, esdb.Revision(1), events(1)...)
	d.revisions(stream, 2)
}

// TestScavenge tells a server to forget, and scavenges. The protocol of the client has no call for it, so it needs the stand-in.
func TestScavenge(t *testing.T) {
	for name, way := range forgets {
		t.Run(name, func(t *testing.T) {
			server := start(t, esdbtest.Options{})
			d := newDesk(t, server.ConnectionString())
			first, _ := d.has(1)
			begin, err := d.reads(first)
			if err != nil {
				t.Fatal(err)
			}
			stream, _ := d.has(5)
			before, err := d.reads(stream)
			if err != nil {
				t.Fatal(err)
			}
			other, _ := d.has(3)
			way.tell(d, stream)
			server.Scavenge()
			if own, _ := d.shown(stream, begin[0].Position); !slices.Equal(own, way.scavenged) {
				t.Errorf("all shows the revisions %v, want %v", own, way.scavenged)
			}
			d.revisions(other, 0, 1, 2)
			next, err := collect(d.ReadAll(d.ctx, esdb.ReadAllOptions{From: before[0].Position}, 1))
			if err != nil || len(next) != 1 || next[0].Position.Commit <= before[0].Position.Commit {
				t.Errorf("read from the position of an event that is gone: %v, %v", next, err)
			}
			if name == "tombstone" {
				d.fails("append", d.appendFails(stream, esdb.Any{}, events(1)), esdb.ErrorCodeStreamDeleted)
				return
			}
			if got := d.appends(stream, esdb.Revision(4), events(1)...); got.NextExpectedVersion != 5 {
				t.Errorf("written again at revision %d", got.NextExpectedVersion)
			}
		})
	}
	t.Run("older metadata", func(t *testing.T) {
		server := start(t, esdbtest.Options{})
		d := newDesk(t, server.ConnectionString())
		first, _ := d.has(1)
		begin, err := d.reads(first)
		if err != nil {
			t.Fatal(err)
		}
		stream, _ := d.has(2)
		d.describes(stream, func(m *esdb.StreamMetadata) { m.SetMaxCount(1) })
		d.describes(stream, func(*esdb.StreamMetadata) {})
		server.Scavenge()
		if own, about := d.shown(stream, begin[0].Position); len(own) != 2 || !slices.Equal(about, []uint64{1}) {
			t.Errorf("all shows the revisions %v, and of the metadata %v", own, about)
		}
	})
	t.Run("a subscriber at work", func(t *testing.T) {
		server := start(t, esdbtest.Options{})
		d := newDesk(t, server.ConnectionString())
		sub, err := d.SubscribeToAll(d.ctx, esdb.SubscribeToAllOptions{From: esdb.Start{}})
		if err != nil {
			t.Fatal(err)
		}
		defer sub.Close()
		for next(t, sub).CaughtUp == nil {
		}
		stream, _ := d.has(5)
		forgets["tombstone"].tell(d, stream)
		server.Scavenge()
		last, given := d.has(1)
		for {
			e := next(t, sub)
			if e.EventAppeared != nil && e.EventAppeared.Event.StreamID == last {
				if e.EventAppeared.Event.EventID != given[0].EventID {
					t.Errorf("followed %v", e.EventAppeared.Event)
				}
				return
			}
		}
	})
}

func eventRules(t *testing.T, d *desk) {
	given := []esdb.EventData{
		{EventID: uuid.New(), EventType: "json", ContentType: esdb.ContentTypeJson, Data: []byte("no json"), Metadata: []byte{0, 0xff}},
		{EventID: uuid.New(), EventType: "größer", ContentType: esdb.ContentTypeBinary, Data: []byte{0, 0xff}},
		{EventID: uuid.New(), EventType: "empty", ContentType: esdb.ContentTypeBinary},
	}
	stream := d.stream() + "-größer 今日"
	d.appends(stream, esdb.NoStream{}, given...)
	got, err := d.reads(stream)
	if err != nil || len(got) != len(given) {
		t.Fatalf("read %d events, %v", len(got), err)
	}
	for i, e := range got {
		content := "application/octet-stream"
		if given[i].ContentType == esdb.ContentTypeJson {
			content = "application/json"
		}
		if e.EventID != given[i].EventID || e.EventType != given[i].EventType || e.StreamID != stream || e.ContentType != content ||
			string(e.Data) != string(given[i].Data) || string(e.UserMetadata) != string(given[i].Metadata) {
			t.Errorf("event %d: %+v", i, e)
		}
		if age := time.Since(e.CreatedDate).Abs(); age > 24*time.Hour {
			t.Errorf("event %d was created at %v", i, e.CreatedDate)
		}
	}
	typeless := events(1)
	typeless[0].EventType = ""
	d.failsWith("no type", d.appendFails(d.stream(), esdb.Any{}, typeless), codes.Unknown)
	d.failsWith("no stream name", d.appendFails("", esdb.Any{}, events(1)), codes.Unknown)
}

func sizeRules(t *testing.T, d *desk) {
	stream, given := d.stream(), events(1)
	given[0].Data = make([]byte, 1<<20-1000)
	d.appends(stream, esdb.NoStream{}, given...)
	if d.modern() {
		t.Log("the limits of later versions are other ones")
		return
	}
	given = events(1)
	given[0].Data = make([]byte, 1<<20+1)
	d.failsWith("a large append", d.appendFails(stream, esdb.Revision(0), given), codes.InvalidArgument)
	given[0].Data = make([]byte, 17<<20)
	d.failsWith("a large message", d.appendFails(stream, esdb.Revision(0), given), codes.ResourceExhausted)
	d.revisions(stream, 0)
}

// next waits for a subscription's next message, skipping checkpoints unless they are wanted.
func next(t *testing.T, s *esdb.Subscription) *esdb.SubscriptionEvent {
	t.Helper()
	for {
		e := s.Recv()
		if e.SubscriptionDropped != nil {
			t.Fatalf("dropped: %v", e.SubscriptionDropped.Error)
		}
		if e.CheckPointReached == nil {
			return e
		}
	}
}

func streamSubscriptionRules(t *testing.T, d *desk) {
	stream, given := d.has(3)
	sub, err := d.SubscribeToStream(d.ctx, stream, esdb.SubscribeToStreamOptions{From: esdb.Revision(0)})
	if err != nil {
		t.Fatal(err)
	}
	defer sub.Close()
	for _, want := range given[1:] { // exclusive
		if e := next(t, sub); e.EventAppeared == nil || e.EventAppeared.Event.EventID != want.EventID {
			t.Fatalf("%+v, want event %v", e, want.EventID)
		}
	}
	if e := next(t, sub); e.CaughtUp == nil {
		t.Fatalf("%+v, want to have caught up", e)
	}
	more := events(2)
	d.appends(stream, esdb.Revision(2), more...)
	for _, want := range more {
		if e := next(t, sub); e.EventAppeared == nil || e.EventAppeared.Event.EventID != want.EventID {
			t.Fatalf("%+v, want event %v", e, want.EventID)
		}
	}

	missing := d.stream()
	waiting, err := d.SubscribeToStream(d.ctx, missing, esdb.SubscribeToStreamOptions{From: esdb.Start{}})
	if err != nil {
		t.Fatal(err)
	}
	defer waiting.Close()
	d.appends(missing, esdb.NoStream{}, more[0])
	for e := next(t, waiting); ; e = next(t, waiting) {
		if e.EventAppeared != nil {
			break
		}
	}
}

func allSubscriptionRules(t *testing.T, d *desk) {
	stream, given := d.has(3)
	all, err := d.reads(stream)
	if err != nil {
		t.Fatal(err)
	}
	var got []uuid.UUID
	caughtUp := false
	more := events(2)
	place := all[0].Position
	d.follows(place, &place, func(e *esdb.SubscriptionEvent) bool {
		switch {
		case e.CaughtUp != nil && !caughtUp:
			caughtUp = true
			if len(got) != 2 {
				t.Errorf("caught up after %d events", len(got))
			}
			d.appends(stream, esdb.Revision(2), more...)
		case e.EventAppeared != nil && e.EventAppeared.Event.StreamID == stream:
			got = append(got, e.EventAppeared.Event.EventID)
		}
		return len(got) < 4
	})
	if want := []uuid.UUID{given[1].EventID, given[2].EventID, more[0].EventID, more[1].EventID}; !slices.Equal(got, want) {
		t.Errorf("followed %v, want %v", got, want)
	}

	last := events(1)
	caughtUp = false
	d.follows(esdb.End{}, &place, func(e *esdb.SubscriptionEvent) bool {
		switch {
		case e.CaughtUp != nil && !caughtUp:
			caughtUp = true
			d.appends(stream, esdb.Revision(4), last...)
		case e.EventAppeared != nil && e.EventAppeared.Event.StreamID == stream:
			if e.EventAppeared.Event.EventID != last[0].EventID {
				t.Errorf("from the end: %v", e.EventAppeared.Event)
			}
			return false
		}
		return true
	})
}

// follows subscribes to all for as long as take wants more. A server drops a subscriber that is too slow for the writers;
// follows then subscribes again from its position.
func (d *desk) follows(from esdb.AllPosition, place *esdb.Position, take func(*esdb.SubscriptionEvent) bool) {
	d.t.Helper()
	for {
		sub, err := d.SubscribeToAll(d.ctx, esdb.SubscribeToAllOptions{From: from})
		if err != nil {
			d.t.Fatal(err)
		}
		for e := sub.Recv(); ; e = sub.Recv() {
			if e.SubscriptionDropped != nil {
				if status.Code(e.SubscriptionDropped.Error) != codes.Aborted {
					d.t.Fatalf("dropped: %v", e.SubscriptionDropped.Error)
				}
				break
			}
			if e.EventAppeared != nil {
				*place = e.EventAppeared.OriginalEvent().Position
			}
			if !take(e) {
				sub.Close()
				return
			}
		}
		sub.Close()
		from = *place
	}
}

// filterRules follows by filters, and again from every checkpoint.
func filterRules(t *testing.T, d *desk) {
	from, _ := d.has(1)
	begin, err := d.reads(from)
	if err != nil {
		t.Fatal(err)
	}
	one, two := d.mine+"-one", d.mine+"-two"
	var want []uuid.UUID
	for i := range 50 {
		mark := event(uuid.New())
		mark.EventType = d.mine + "-type"
		if i == 0 {
			d.appends(one, esdb.NoStream{}, mark)
			d.appends(two, esdb.NoStream{}, events(3)...)
		} else {
			d.appends(one, esdb.Revision(uint64(i-1)), mark)
			d.appends(two, esdb.Revision(uint64(3*i-1)), events(3)...)
		}
		want = append(want, mark.EventID)
	}
	follow := func(filter *esdb.SubscriptionFilter, after esdb.AllPosition) (got []uuid.UUID, checkpoints []esdb.Position, before []int) {
		t.Helper()
		sub, err := d.SubscribeToAll(d.ctx, esdb.SubscribeToAllOptions{From: after, Filter: filter, MaxSearchWindow: 32, CheckpointInterval: 1})
		if err != nil {
			t.Fatal(err)
		}
		defer sub.Close()
		for {
			switch e := sub.Recv(); {
			case e.SubscriptionDropped != nil:
				t.Fatal(e.SubscriptionDropped.Error)
			case e.EventAppeared != nil:
				got = append(got, e.EventAppeared.Event.EventID)
			case e.CheckPointReached != nil:
				checkpoints, before = append(checkpoints, *e.CheckPointReached), append(before, len(got))
			case e.CaughtUp != nil:
				return got, checkpoints, before
			}
		}
	}
	for name, filter := range map[string]*esdb.SubscriptionFilter{
		"streams by prefix":  {Type: esdb.StreamFilterType, Prefixes: []string{"nobody", one}},
		"streams by pattern": {Type: esdb.StreamFilterType, Regex: "^" + one + "$"},
		"types by prefix":    {Type: esdb.EventFilterType, Prefixes: []string{d.mine + "-ty"}},
		"types by pattern":   {Type: esdb.EventFilterType, Regex: "^" + d.mine + "-type$"},
	} {
		got, checkpoints, before := follow(filter, begin[0].Position)
		if !slices.Equal(got, want) {
			t.Errorf("%s: %d events, want %d", name, len(got), len(want))
		}
		if len(checkpoints) == 0 {
			t.Errorf("%s: no checkpoint", name)
		}
		for i, c := range checkpoints {
			again, _, _ := follow(filter, c)
			if n := len(again); n > len(want) || n < len(want)-before[i] || !slices.Equal(again, want[len(want)-n:]) {
				t.Errorf("%s: %d events after checkpoint %d, want at least %d", name, n, i, len(want)-before[i])
			}
		}
	}
}

// wireRules tests through the protocol what the client does not show.
func wireRules(t *testing.T, d *desk) {
	stream, given := d.has(2)
	proposed := func(properties map[string]string) *streams.AppendReq_ProposedMessage {
		return &streams.AppendReq_ProposedMessage{Id: &shared.UUID{Value: &shared.UUID_String_{String_: uuid.NewString()}}, Metadata: properties}
	}
	typed := map[string]string{"type": "happened", "content-type": "application/json"}

	reply, err := d.send(stream, &streams.AppendReq_Options{ExpectedStreamRevision: &streams.AppendReq_Options_NoStream{NoStream: &shared.Empty{}}}, proposed(typed))
	wrong := reply.GetWrongExpectedVersion()
	if err != nil || wrong.GetCurrentRevision() != 1 || wrong.GetCurrentRevision_20_6_0() != 1 ||
		wrong.GetExpectedNoStream() == nil || wrong.GetExpectedRevision_20_6_0() != math.MaxUint64 {
		t.Errorf("a conflict says %v, %v", reply, err)
	}
	reply, err = d.send(d.stream(), &streams.AppendReq_Options{ExpectedStreamRevision: &streams.AppendReq_Options_Revision{Revision: math.MaxUint64}}, proposed(typed))
	if err != nil || reply.GetSuccess().GetCurrentRevision() != 0 {
		t.Errorf("the largest revision: %v, %v", reply, err)
	}
	_, err = d.send(stream, &streams.AppendReq_Options{ExpectedStreamRevision: &streams.AppendReq_Options_Revision{Revision: 1 << 63}}, proposed(typed))
	if status.Code(err) != codes.Unknown {
		t.Errorf("a revision too large: %v", err)
	}
	for missing, left := range map[string]map[string]string{"type": {"content-type": "application/json"}, "content-type": {"type": "happened"}} {
		_, err := d.send(stream, &streams.AppendReq_Options{ExpectedStreamRevision: &streams.AppendReq_Options_Any{Any: &shared.Empty{}}}, proposed(left))
		if status.Code(err) != codes.InvalidArgument {
			t.Errorf("without %s: %v", missing, err)
		}
	}
	nameless := proposed(typed)
	nameless.Id = &shared.UUID{Value: &shared.UUID_String_{String_: uuid.Nil.String()}}
	if _, err := d.send(stream, &streams.AppendReq_Options{ExpectedStreamRevision: &streams.AppendReq_Options_Any{Any: &shared.Empty{}}}, nameless); status.Code(err) != codes.Unknown {
		t.Errorf("without an id: %v", err)
	}

	call, err := d.raw.Read(d.out(), &streams.ReadReq{Options: &streams.ReadReq_Options{
		StreamOption: &streams.ReadReq_Options_Stream{Stream: &streams.ReadReq_Options_StreamOptions{
			StreamIdentifier: &shared.StreamIdentifier{StreamName: []byte(stream)},
			RevisionOption:   &streams.ReadReq_Options_StreamOptions_Start{Start: &shared.Empty{}},
		}},
		CountOption:  &streams.ReadReq_Options_Count{Count: 1},
		FilterOption: &streams.ReadReq_Options_NoFilter{NoFilter: &shared.Empty{}},
		UuidOption:   &streams.ReadReq_Options_UUIDOption{Content: &streams.ReadReq_Options_UUIDOption_String_{String_: &shared.Empty{}}},
	}})
	if err != nil {
		t.Fatal(err)
	}
	first, err := call.Recv()
	if id := first.GetEvent().GetEvent().GetId().GetString_(); err != nil || id != given[0].EventID.String() {
		t.Errorf("the id as text is %q, %v, want %v", id, err, given[0].EventID)
	}

	var trailer metadata.MD
	_, err = d.raw.Delete(d.out(), &streams.DeleteReq{Options: &streams.DeleteReq_Options{
		StreamIdentifier:       &shared.StreamIdentifier{StreamName: []byte(stream)},
		ExpectedStreamRevision: &streams.DeleteReq_Options_Revision{Revision: 7},
	}}, grpc.Trailer(&trailer))
	if got := fmt.Sprint(trailer.Get("exception"), trailer.Get("stream-name"), trailer.Get("expected-version"), trailer.Get("actual-version")); status.Code(err) != codes.FailedPrecondition ||
		got != fmt.Sprintf("[wrong-expected-version] [%s] [7] [1]", stream) {
		t.Errorf("deleting at the wrong revision: %v, %s", err, got)
	}

	last := &streams.ReadReq_Options_AllOptions{AllOption: &streams.ReadReq_Options_AllOptions_End{End: &shared.Empty{}}}
	filtered, err := d.raw.Read(d.out(), &streams.ReadReq{Options: &streams.ReadReq_Options{
		StreamOption:  &streams.ReadReq_Options_All{All: last},
		ReadDirection: streams.ReadReq_Options_Backwards,
		CountOption:   &streams.ReadReq_Options_Count{Count: 1},
		FilterOption: &streams.ReadReq_Options_Filter{Filter: &streams.ReadReq_Options_FilterOptions{
			Filter: &streams.ReadReq_Options_FilterOptions_StreamIdentifier{
				StreamIdentifier: &streams.ReadReq_Options_FilterOptions_Expression{Prefix: []string{stream}},
			},
			Window:                       &streams.ReadReq_Options_FilterOptions_Max{Max: 1024},
			CheckpointIntervalMultiplier: 1,
		}},
		UuidOption: &streams.ReadReq_Options_UUIDOption{Content: &streams.ReadReq_Options_UUIDOption_String_{String_: &shared.Empty{}}},
	}})
	if err != nil {
		t.Fatal(err)
	}
	m, err := filtered.Recv()
	if id := m.GetEvent().GetEvent().GetId().GetString_(); err != nil || id != given[1].EventID.String() {
		t.Errorf("the last event by a filter is %q, %v, want %v", id, err, given[1].EventID)
	}
}

// TestForgetIDs needs a server whose memory can be emptied.
func TestForgetIDs(t *testing.T) {
	server := start(t, esdbtest.Options{})
	d := newDesk(t, server.ConnectionString())
	stream, given := d.has(2)
	d.appends(stream, esdb.Any{}, given...)
	d.revisions(stream, 0, 1)
	server.ForgetIDs()
	d.appends(stream, esdb.NoStream{}, given...)
	d.revisions(stream, 0, 1)
	d.appends(stream, esdb.Any{}, given...)
	d.revisions(stream, 0, 1, 2, 3)
}

// TestSlowConsumer has a live subscriber that one append puts further behind than the server allows.
func TestSlowConsumer(t *testing.T) {
	d := newDesk(t, start(t, esdbtest.Options{}).ConnectionString())
	sub, err := d.SubscribeToAll(d.ctx, esdb.SubscribeToAllOptions{From: esdb.Start{}})
	if err != nil {
		t.Fatal(err)
	}
	defer sub.Close()
	for next(t, sub).CaughtUp == nil {
	}
	d.has(100)
	for {
		if dropped := sub.Recv().SubscriptionDropped; dropped != nil {
			if status.Code(dropped.Error) != codes.Aborted {
				t.Errorf("dropped: %v", dropped.Error)
			}
			break
		}
	}
}

// TestSlowConsumerLater has one on a later server, which reads from the log what it has not kept in memory.
func TestSlowConsumerLater(t *testing.T) {
	d := newDesk(t, start(t, esdbtest.Options{Version: "25.0.0"}).ConnectionString())
	stream, _ := d.has(1)
	all, err := d.reads(stream)
	if err != nil {
		t.Fatal(err)
	}
	sub, err := d.SubscribeToAll(d.ctx, esdb.SubscribeToAllOptions{From: all[0].Position})
	if err != nil {
		t.Fatal(err)
	}
	defer sub.Close()
	for next(t, sub).CaughtUp == nil {
	}
	_, given := d.has(100)
	for _, want := range given {
		if e := next(t, sub); e.EventAppeared == nil || e.EventAppeared.Event.EventID != want.EventID {
			t.Fatalf("%+v, want event %v", e, want.EventID)
		}
	}
	if e := next(t, sub); e.CaughtUp == nil {
		t.Errorf("%+v, want to have caught up again", e)
	}
}

func TestCluster(t *testing.T) {
	nodes := esdbtest.NewCluster(3, esdbtest.Options{})
	t.Cleanup(nodes[0].Close)
	nodes[2].Lead()
	through := newDesk(t, nodes[0].DiscoverString())
	stream, given := through.has(1)
	got, err := newDesk(t, nodes[1].ConnectionString()).reads(stream)
	if err != nil || len(got) != 1 || got[0].EventID != given[0].EventID {
		t.Errorf("read on another node: %v, %v", got, err)
	}
	d := newDesk(t, nodes[0].ConnectionString())
	d.headers = append(d.headers, "requires-leader", "true")
	call, err := d.raw.Append(d.out())
	if err != nil {
		t.Fatal(err)
	}
	_, err = call.CloseAndRecv()
	trailer := call.Trailer()
	if address := trailer.Get("leader-endpoint-host")[0] + ":" + trailer.Get("leader-endpoint-port")[0]; status.Code(err) != codes.NotFound || address != nodes[2].Address() {
		t.Errorf("a node that does not lead says %v, %s", err, address)
	}
}

func TestTLS(t *testing.T) {
	server := start(t, esdbtest.Options{User: "admin", Password: "changeit", Others: map[string]string{"desk": "secret"}})
	ca := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(ca, server.Certificate(), 0o600); err != nil {
		t.Fatal(err)
	}
	connection := server.ConnectionString() + "&tlsCaFile=" + ca
	d := newDesk(t, connection)
	stream, _ := d.has(1)
	d.revisions(stream, 0)
	stranger := newDesk(t, strings.Replace(connection, "changeit", "secret", 1))
	_, err := stranger.reads(stream)
	stranger.fails("a wrong password", err, esdb.ErrorCodeUnauthenticated)
	nobody := newDesk(t, strings.Replace(connection, "admin:changeit@", "", 1))
	_, err = nobody.reads(stream)
	nobody.fails("no password", err, esdb.ErrorCodeAccessDenied)

	guest := newDesk(t, strings.Replace(connection, "admin:changeit@", "desk:secret@", 1))
	guest.revisions(stream, 0)
	guest.appends(guest.stream(), esdb.NoStream{}, events(1)...)
	_, err = collect(guest.ReadAll(guest.ctx, esdb.ReadAllOptions{From: esdb.Start{}}, 1))
	guest.fails("all, for one who is no administrator", err, esdb.ErrorCodeAccessDenied)
	_, err = guest.reads("$users")
	guest.fails("a stream of the server, for one who is no administrator", err, esdb.ErrorCodeAccessDenied)
}
