package esdb

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"sync/atomic"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/status"
)

// A hopelessError is an error that waiting does not mend: the connection string, a certificate or a user's rights must be changed. It says
// what is wrong and what to do, without the password.
type hopelessError struct {
	says  string
	cause error
}

func (e *hopelessError) Error() string { return e.says }

func (e *hopelessError) Unwrap() error { return e.cause }

// What an operator must change.
const (
	wrongPassword = "the server does not accept the user name or the password: correct them in the connection string"
	noUser        = "the server answers only users: put one into the connection string, as in esdb://USER:PASSWORD@HOST:2113?tls=true"
	noRight       = "the server's access lists do not let the user of the connection string do this: allow it, or add the user to $admins"
	cannotReadAll = "the user of the connection string may not read $all, which Daybook follows: add the user to $admins, or to $r in the access list of $all"
	wantsTLS      = "the server speaks TLS, and the connection string says tls=false: leave that out"
	withoutTLS    = "the server does not speak TLS: switch it on there, or, where nobody else can reach the server, write tls=false into the connection string"
	notVouchedFor = "nobody that this machine trusts vouches for the server's certificate: name the file with the certificate of its authority in the connection string, as tlsCaFile=FILE"
	expired       = "the server's certificate has expired or is not valid yet: renew it, or correct the clock of this machine"
	otherName     = "the server's certificate is for another name (%v): put a name that it is for into the connection string"
	unfit         = "the server's certificate cannot be used (%v): replace it"
	refusesUs     = "the server refuses the TLS connection (%v): if it wants a certificate from its clients, name one in the connection string, as userCertFile=FILE and userKeyFile=FILE"
)

// explained returns a *hopelessError for a call's error that repeating the call cannot mend, and otherwise the error.
func (c *cluster) explained(err error) error {
	if errors.As(err, new(*hopelessError)) {
		return err
	}
	switch status.Code(err) {
	case codes.Unauthenticated:
		return &hopelessError{wrongPassword, err}
	case codes.PermissionDenied:
		if c.config.Username == "" || c.config.DisableTLS { // it is sent only over TLS
			return &hopelessError{noUser, err}
		}
		return &hopelessError{noRight, err}
	}
	return err
}

// mayNotReadAll explains that $all was refused.
func (c *cluster) mayNotReadAll(err error) error {
	if explained := c.explained(err); explained.Error() == noUser {
		return explained
	}
	return &hopelessError{cannotReadAll, err}
}

// A handshake is the TLS of one connection. It remembers why the last attempt failed, which gRPC tells only as text.
type handshake struct {
	credentials.TransportCredentials
	failed *atomic.Pointer[error] // shared by its clones
}

// ClientHandshake implements credentials.TransportCredentials.
func (h handshake) ClientHandshake(ctx context.Context, authority string, raw net.Conn) (net.Conn, credentials.AuthInfo, error) {
	conn, info, err := h.TransportCredentials.ClientHandshake(ctx, authority, raw)
	if err != nil {
		h.failed.Store(&err)
	}
	return conn, info, err
}

// Clone implements credentials.TransportCredentials.
func (h handshake) Clone() credentials.TransportCredentials {
	return handshake{h.TransportCredentials.Clone(), h.failed}
}

// explained returns a *hopelessError if a connection cannot be made because of TLS, and otherwise the error.
func (h handshake) explained(err error) error {
	failed := h.failed.Load()
	if err == nil || failed == nil {
		return err
	}
	var (
		authority x509.UnknownAuthorityError
		name      x509.HostnameError
		invalid   x509.CertificateInvalidError
		other     *tls.CertificateVerificationError
		plain     tls.RecordHeaderError
		alert     tls.AlertError
	)
	says := ""
	switch {
	case errors.As(*failed, &authority):
		says = notVouchedFor
	case errors.As(*failed, &name):
		says = fmt.Sprintf(otherName, name)
	case errors.As(*failed, &invalid) && invalid.Reason == x509.Expired:
		says = expired
	case errors.As(*failed, &other):
		says = fmt.Sprintf(unfit, other.Err)
	case errors.As(*failed, &plain):
		says = withoutTLS
	case errors.As(*failed, &alert):
		says = fmt.Sprintf(refusesUs, alert)
	default:
		return err
	}
	return &hopelessError{says, err}
}

// probing is how long a server may take to show that it speaks TLS.
const probing = 2 * time.Second

// unlessTLS returns a *hopelessError if a server that does not answer without TLS speaks TLS, and otherwise the error.
func (c *cluster) unlessTLS(address string, err error) error {
	if err == nil || !c.config.DisableTLS || !temporary(err) {
		return err
	}
	ctx, cancel := context.WithTimeout(c.life, probing)
	defer cancel()
	// Nothing is sent to it, so it need not be trusted.
	dialer := tls.Dialer{Config: &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"h2"}}}
	conn, failed := dialer.DialContext(ctx, "tcp", address)
	if failed != nil {
		return err
	}
	conn.Close()
	return &hopelessError{wantsTLS, err}
}
