package esdb

import (
	"cmp"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"daybook/eventstore"
)

var (
	errNoLeader   = errors.New("the cluster has no leader")
	errUnexpected = errors.New("the server sent an unexpected answer")
	errDropped    = errors.New("the server ended the subscription")
	errSilent     = errors.New("the server did not answer")
	errMisplaced  = fmt.Errorf("%w: it cannot read at the position", errUnexpected)
	errLasting    = errors.New("the server keeps sending the same")
)

// A notLeaderError is a node's answer that another one leads.
type notLeaderError struct{ address string }

func (e *notLeaderError) Error() string { return "the leader is " + e.address }

// refused interprets a server's error.
func refused(err error, trailer metadata.MD) error {
	first := func(key string) string {
		if values := trailer.Get(key); len(values) > 0 {
			return values[0]
		}
		return ""
	}
	switch first("exception") {
	case "not-leader":
		return &notLeaderError{net.JoinHostPort(first("leader-endpoint-host"), first("leader-endpoint-port"))}
	case "stream-deleted":
		return errBuried
	case "maximum-append-size-exceeded", "maximum-append-event-size-exceeded":
		limit, failed := strconv.Atoi(cmp.Or(first("maximum-append-size"), first("maximum-append-event-size")))
		if failed == nil {
			return fmt.Errorf("the server's MaxAppendSize is too small: %w", &eventstore.TooLargeError{Limit: limit})
		}
	}
	return err
}

// temporary reports whether a call may be repeated: no server could answer it, or the answer was lost or unusable.
func temporary(err error) bool {
	var conflict *eventstore.ConflictError
	var tooLarge *eventstore.TooLargeError
	var damage *eventstore.DamageError
	var hopeless *hopelessError
	switch {
	case errors.As(err, &conflict), errors.As(err, &damage), errors.As(err, &hopeless),
		errors.As(err, &tooLarge), errors.Is(err, eventstore.ErrNotFound), errors.Is(err, eventstore.ErrAhead),
		errors.Is(err, eventstore.ErrClosed), errors.Is(err, errBuried), errors.Is(err, ErrReplaced), errors.Is(err, errLasting):
		return false
	}
	switch status.Code(err) {
	case codes.InvalidArgument, codes.NotFound, codes.AlreadyExists, codes.PermissionDenied, codes.Unauthenticated,
		codes.FailedPrecondition, codes.ResourceExhausted, codes.OutOfRange, codes.Unimplemented:
		return false
	}
	return true
}

// misplaced recognises that a server refused a position because no event begins there. Versions differ in how they say it: up to
// 23.10 it looks like any error in reading the log, which may also pass.
func misplaced(err error) error {
	switch s, _ := status.FromError(err); {
	case s.Code() == codes.InvalidArgument, s.Code() == codes.Unknown && strings.HasSuffix(s.Message(), "ReadAllResult: InvalidPosition"):
		return eventstore.ErrAhead
	case s.Code() == codes.Unknown && strings.Contains(s.Message(), "ReadAllResult"):
		return fmt.Errorf("%w: %w", errMisplaced, err)
	}
	return err
}
