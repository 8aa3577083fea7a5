package esdb_test

import (
	"context"
	"crypto/tls"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"daybook/eventstore"
	"daybook/eventstore/esdb"
	"daybook/eventstore/esdb/esdbtest"
	"daybook/internal/testcert"
)

// TestWhatWaitingDoesNotMend: what must be changed is said at once, in a sentence without the password, however patient the store is.
func TestWhatWaitingDoesNotMend(t *testing.T) {
	watch(t)
	secure := func(certificate *tls.Certificate) (connection, ca string) {
		server := esdbtest.NewServer(esdbtest.Options{User: "admin", Password: "changeit", Others: map[string]string{"desk": "hunter2"}, Certificate: certificate})
		t.Cleanup(server.Close)
		ca = filepath.Join(t.TempDir(), "ca.pem")
		if err := os.WriteFile(ca, server.Certificate(), 0o600); err != nil {
			t.Fatal(err)
		}
		return server.ConnectionString(), "&tlsCaFile=" + ca
	}
	connection, ca := secure(nil)
	late, lateCA := secure(testcert.Issued(t, time.Now().Add(-time.Hour)))
	with := func(old, instead string) string { return strings.Replace(connection+ca, old, instead, 1) }
	_, port, _ := net.SplitHostPort(strings.TrimSuffix(strings.SplitAfter(connection, "@")[1], "?tls=true"))
	bare := start(t)
	for name, wrong := range map[string]struct{ connection, says string }{
		"a wrong password":                 {with("changeit", "geheim"), "does not accept the user name or the password"},
		"an unknown user":                  {with("admin:", "nobody:"), "does not accept the user name or the password"},
		"no user":                          {with("admin:changeit@", ""), "answers only users"},
		"a user who may not read all":      {with("admin:changeit", "desk:hunter2"), "may not read $all"},
		"a certificate of nobody":          {connection, "nobody that this machine trusts vouches for the server's certificate"},
		"a certificate of another name":    {with("127.0.0.1:"+port, "localhost:"+port), "is for another name"},
		"a certificate that has expired":   {late + lateCA, "has expired"},
		"no TLS to a server with TLS":      {strings.Replace(connection, "tls=true", "tls=false", 1), "the connection string says tls=false"},
		"TLS to a server without it":       {strings.Replace(bare.ConnectionString(), "tls=false", "tls=true", 1), "does not speak TLS"},
		"discovery and a wrong password":   {strings.Replace(with("changeit", "geheim"), "esdb://", "esdb+discover://", 1), "does not accept the user name or the password"},
		"discovery and no TLS":             {strings.NewReplacer("tls=true", "tls=false", "esdb://", "esdb+discover://").Replace(connection), "the connection string says tls=false"},
		"discovery and nobody's signature": {strings.Replace(connection, "esdb://", "esdb+discover://", 1), "nobody that this machine trusts vouches"},
	} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute) // ends a test that hangs; no result depends on it
			defer cancel()
			_, err := esdb.Open(ctx, wrong.connection, esdb.Options{Patience: time.Hour})
			if err == nil || !strings.Contains(err.Error(), wrong.says) {
				t.Fatalf("Open: %v", err)
			}
			for _, secret := range []string{"changeit", "geheim", "hunter2", "rpc error"} {
				if strings.Contains(err.Error(), secret) {
					t.Errorf("it tells %s: %v", secret, err)
				}
			}
		})
	}
}

// TestRightsAreTaken from a user while the log is open.
func TestRightsAreTaken(t *testing.T) {
	watch(t)
	server := start(t)
	store := open(t, server.ConnectionString())
	appends(t, store, "a", eventstore.NoStream, events(1))
	server.Break(esdbtest.Faults{Call: func(_ context.Context, method string) error {
		if method == "Append" {
			return esdbtest.ErrAccessDenied
		}
		return nil
	}})
	if _, err := eventstore.AppendTo(t.Context(), store, "a", 0, events(1)); err == nil || !strings.Contains(err.Error(), "answers only users") {
		t.Errorf("Append: %v", err)
	}
}
