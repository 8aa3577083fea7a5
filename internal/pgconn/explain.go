package pgconn

import (
	"context"
	"crypto/x509"
	"database/sql/driver"
	"errors"

	"github.com/lib/pq"
	"github.com/lib/pq/pqerror"
)

// An explaining is a connector whose errors say what to do, if waiting does not mend them. Its connections begin with a statement, if
// there is one.
type explaining struct {
	driver.Connector
	first string
}

// Connect implements driver.Connector.
func (c explaining) Connect(ctx context.Context) (driver.Conn, error) {
	conn, err := c.Connector.Connect(ctx)
	if err != nil || c.first == "" {
		return conn, explained(err)
	}
	if _, err := conn.(driver.ExecerContext).ExecContext(ctx, c.first, nil); err != nil {
		return nil, errors.Join(unset(err), conn.Close())
	}
	return conn, nil
}

// unset explains why a setting could not be set.
func unset(err error) error {
	if refusal, is := errors.AsType[*pq.Error](err); is && refusal.Code == pqerror.InsufficientPrivilege {
		return unfit("the database or the role sets what Daybook's user may not set back (%s): ALTER DATABASE … RESET it, or ALTER ROLE … RESET it", refusal.Message)
	}
	return err
}

// An explainedError is the driver's error, with what to do.
type explainedError struct {
	says  string
	cause error // it does not tell the password
}

func (e *explainedError) Error() string { return e.says + " (" + e.cause.Error() + ")" }

func (e *explainedError) Unwrap() error { return e.cause }

func explained(err error) error {
	says := ""
	var refusal *pq.Error
	var authority x509.UnknownAuthorityError
	var name x509.HostnameError
	var invalid x509.CertificateInvalidError
	switch {
	case errors.As(err, &refusal):
		says = waysOut[refusal.Code]
	case errors.Is(err, pq.ErrSSLNotSupported):
		says = "the server does not speak TLS: switch it on there, or, where nobody else can reach the server, write sslmode=disable into its URL"
	case errors.As(err, &authority):
		says = "nobody that this machine trusts vouches for the server's certificate: name the file with the certificate of its authority in the URL, as sslrootcert=FILE"
	case errors.As(err, &name):
		says = "the server's certificate is for another name: put a name that it is for into the URL"
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		says = "the server's certificate has expired or is not valid yet: renew it, or correct the clock of this machine"
	}
	if says == "" {
		return err
	}
	return &explainedError{says, err}
}

// Explain returns an error with what to do, if the user lacks a right.
func Explain(err error) error {
	if refusal, is := errors.AsType[*pq.Error](err); is && refusal.Code == pqerror.InsufficientPrivilege && !errors.As(err, new(*explainedError)) {
		return &explainedError{"the user lacks a right; docs/operations.md lists what each kind of process needs", err}
	}
	return err
}

// waysOut are what to do after a refusal of a connection.
var waysOut = map[pqerror.Code]string{
	pqerror.InvalidPassword:                   "the server does not accept the user's password: correct it in the URL",
	pqerror.InvalidAuthorizationSpecification: "the server does not let the user in: correct the URL, create the role, or allow it in pg_hba.conf; what is allowed only over TLS needs sslmode=require",
	pqerror.InvalidCatalogName:                "the server has no such database: correct the URL, or create the database",
	pqerror.InsufficientPrivilege:             "the user may not use the database: grant it CONNECT, or correct the URL",
}
