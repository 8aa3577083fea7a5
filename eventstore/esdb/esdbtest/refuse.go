package esdbtest

import (
	"fmt"

	"google.golang.org/grpc/codes"
	grpcmd "google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

// Errors of a server in trouble, and one for a user without a right, for Faults to return.
var (
	ErrAccessDenied = accessDenied()

	ErrNotReady = status.Error(codes.Unavailable, "Server Is Not Ready")
	ErrTooBusy  = status.Error(codes.Unavailable, "Server Is Too Busy")
	ErrTimeout  = status.Error(codes.Aborted, "Operation timed out: Commit phase timeout.")
	ErrTooSlow  = status.Error(codes.Aborted, "Operation timed out: Consumer too slow to handle event while live. Client resubscription required.")
)

// errHandler is the server's error for input that it did not expect.
var errHandler = status.Error(codes.Unknown, "Exception was thrown by handler.")

// The server's errors for a position at which no event begins: for reads, for reads of later versions, and for subscriptions.
var (
	errReading        = status.Error(codes.Unknown, "Unexpected ReadAllResult: Error")
	errReadingInvalid = status.Error(codes.Unknown, "Unexpected ReadAllResult: InvalidPosition")
	errInvalid        = status.Error(codes.InvalidArgument, "Trying to read from an invalid position.")
)

// A refusal is an error with the trailers by which clients recognise it.
type refusal struct {
	*status.Status
	trailers grpcmd.MD
}

func (r *refusal) Error() string              { return r.Message() }
func (r *refusal) GRPCStatus() *status.Status { return r.Status }

func refuse(code codes.Code, message string, trailers ...string) error {
	return &refusal{status.New(code, message), grpcmd.Pairs(trailers...)}
}

// NotLeader is a node's error for a call that only the leader may answer.
func NotLeader(host string, port int) error {
	return refuse(codes.NotFound, "Leader info available",
		"exception", "not-leader", "leader-endpoint-host", host, "leader-endpoint-port", fmt.Sprint(port))
}

func streamDeleted(stream string) error {
	return refuse(codes.FailedPrecondition, fmt.Sprintf("Event stream '%s' is deleted.", stream),
		"exception", "stream-deleted", "stream-name", stream)
}

func wrongExpectedVersion(stream string, expected, actual int64) error {
	return refuse(codes.FailedPrecondition,
		fmt.Sprintf("Delete failed due to WrongExpectedVersion. Stream: %s, Expected version: %d, Actual version: %d", stream, expected, actual),
		"exception", "wrong-expected-version", "stream-name", stream,
		"expected-version", fmt.Sprint(expected), "actual-version", fmt.Sprint(actual))
}

func tooLarge(limit int) error {
	return refuse(codes.InvalidArgument, fmt.Sprintf("Maximum Append Size of %d Exceeded.", limit),
		"exception", "maximum-append-size-exceeded", "maximum-append-size", fmt.Sprint(limit))
}

func missingProperty(name string) error {
	return refuse(codes.InvalidArgument, fmt.Sprintf("Required Metadata Property '%s' is missing", name),
		"exception", "missing-required-metadata-property", "required-metadata-properties", "type,content-type")
}

func accessDenied() error {
	return refuse(codes.PermissionDenied, "Access Denied", "exception", "access-denied")
}

func invalidArgument(of string) error {
	return status.Error(codes.InvalidArgument, of+" is invalid")
}
