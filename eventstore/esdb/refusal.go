package esdb

import (
	"errors"
	"fmt"
	"net"
	"strings"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"daybook/eventstore"
)

var (
	errNoLeader   = errors.New("the cluster has no leader")
	errUnexpected = errors.New("the server answered with something unexpected")
	errDropped    = errors.New("the server ended the subscription")
	errTooLarge   = errors.New("the append is over the server's MaxAppendSize, which must be at least 2 MiB on servers that count more than data")
)

// A notLeaderError is a node's word that another leads.
type notLeaderError struct{ address string }

func (e *notLeaderError) Error() string { return "the leader is " + e.address }

// refused reads what a server says along with an error.
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
		return ErrDeleted
	case "maximum-append-size-exceeded":
		return fmt.Errorf("%w: %w", errTooLarge, err)
	}
	return err
}

// temporary says whether a call may be made again: nobody could answer it, or the answer got lost, or was of no use.
func temporary(err error) bool {
	var conflict *eventstore.ConflictError
	var tooLarge *eventstore.TooLargeError
	switch {
	case errors.As(err, &conflict), errors.As(err, &tooLarge), errors.Is(err, eventstore.ErrNotFound), errors.Is(err, eventstore.ErrAhead),
		errors.Is(err, eventstore.ErrClosed), errors.Is(err, ErrDeleted), errors.Is(err, ErrReplaced):
		return false
	}
	switch status.Code(err) {
	case codes.InvalidArgument, codes.NotFound, codes.AlreadyExists, codes.PermissionDenied, codes.Unauthenticated,
		codes.FailedPrecondition, codes.ResourceExhausted, codes.OutOfRange, codes.Unimplemented:
		return false
	}
	return true
}

// misplaced says whether a server refused a position because no event begins there. Versions differ in how they say it.
func misplaced(err error) bool {
	s, _ := status.FromError(err)
	return s.Code() == codes.InvalidArgument || s.Code() == codes.Unknown && strings.Contains(s.Message(), "ReadAllResult")
}
