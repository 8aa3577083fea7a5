package testdb

import (
	"fmt"
	"math/rand/v2"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/cenkalti/backoff/v5"
)

// Pooler puts PgBouncer before a database, with a pool_mode and other settings, one a line. It returns the database's address through
// it, and ends with the test.
func Pooler(t testing.TB, database, mode, settings string) string {
	t.Helper()
	program := "/usr/sbin/pgbouncer" // which is not in everybody's PATH
	if found, err := exec.LookPath("pgbouncer"); err == nil {
		program = found
	}
	if _, err := os.Stat(program); err != nil && os.Getenv("DAYBOOK_TEST_REQUIRE") == "" {
		t.Skip("PgBouncer is not installed (apt-get install pgbouncer)")
	}
	u, err := url.Parse(database)
	if err != nil {
		t.Fatal(err)
	}
	var free net.Listener
	for range 100 { // a port that the system gives nobody meanwhile, as it does those from 32768 on
		if free, err = net.Listen("tcp", fmt.Sprint("127.0.0.1:", 20_000+rand.IntN(10_000))); err == nil {
			break
		}
	}
	if err != nil {
		t.Fatal(err)
	}
	at := free.Addr().(*net.TCPAddr)
	if err := free.Close(); err != nil {
		t.Fatal(err)
	}
	dir, err := os.MkdirTemp("", "testdb-")
	if err != nil {
		t.Fatal(err)
	}
	config := filepath.Join(dir, "pgbouncer.ini")
	written := fmt.Sprintf("[databases]\n* = host=%s port=%s user=%s\n[pgbouncer]\nlisten_addr=127.0.0.1\nlisten_port=%d\nunix_socket_dir=\nauth_type=any\npool_mode=%s\n%s\n",
		u.Hostname(), u.Port(), u.User.Username(), at.Port, mode, settings)
	if err := os.WriteFile(config, []byte(written), 0o644); err != nil { //nolint:gosec // it runs as another user, and there is no secret in it
		t.Fatal(err)
	}
	args := []string{"-q", config}
	if os.Getuid() == 0 {
		if err := os.Chmod(dir, 0o755); err != nil { //nolint:gosec // the same
			t.Fatal(err)
		}
		args = append(args, "-u", "postgres")
	}
	cmd := exec.Command(program, args...)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait() // it was killed
		os.RemoveAll(dir)
	})
	_, err = backoff.Retry(t.Context(), func() (any, error) {
		conn, err := net.Dial("tcp", at.String())
		if err != nil {
			return nil, err
		}
		return nil, conn.Close()
	}, backoff.WithBackOff(backoff.NewConstantBackOff(20*time.Millisecond)), backoff.WithMaxElapsedTime(30*time.Second))
	if err != nil {
		t.Fatal(err)
	}
	u.Host = at.String()
	return u.String()
}
