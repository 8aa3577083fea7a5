package main

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"daybook/api"
	"daybook/eventstore/esdb/esdbtest"
	"daybook/internal/testdb"
	"daybook/internal/testdesk"
)

// shared returns the flags of processes that share a desk.
func shared(events, readModels string) []string {
	return []string{"--events", events, "--read-models", readModels}
}

// projects reports whether a process says that it projects the read models.
func projects(t *testing.T, c testdesk.Client) bool {
	t.Helper()
	var list struct{ Data []api.ProjectionStatus }
	c.Get(t, "/v1/projections").Into(t, &list)
	return list.Data[0].Posting
}

// readsAtOnce writes through one process and reads what it wrote through another.
func readsAtOnce(t *testing.T, writer, reader testdesk.Client, n int) {
	t.Helper()
	for i := range n {
		name := fmt.Sprint("Contact ", i)
		made := writer.Must(t, 201, "POST", "/v1/contacts", map[string]any{"name": name})
		found := reader.Get(t, "/v1/contacts/"+made.ID(t), testdesk.Header("Daybook-After", made.Position()))
		if found.Header.Get("Daybook-Stale-By") != "" || found.Object(t)["name"] != name {
			t.Errorf("after %s: %s", made.Position(), found)
		}
	}
}

// TestSeveralProcesses runs a desk whose processes divide the work: some answer requests, and another projects.
func TestSeveralProcesses(t *testing.T) {
	t.Parallel()
	for name, where := range map[string]func(*testing.T) []string{
		"PostgreSQL": func(t *testing.T) []string { u := testdb.URL(t); return shared(u, u) },
		"EventStoreDB and PostgreSQL": func(t *testing.T) []string {
			server := esdbtest.NewServer(esdbtest.Options{})
			t.Cleanup(server.Close)
			return shared(server.ConnectionString(), testdb.URL(t))
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			folder, where := t.TempDir(), where(t)
			serve := func(only string) testdesk.Client {
				c, _ := reexec.StartServer(t, folder, append(where, "--only", only)...)
				return c
			}
			one, two := serve("api"), serve("api")
			early := one.Must(t, 201, "POST", "/v1/contacts", map[string]any{"name": "Before anybody projects"})
			one.Refused(t, 503, "building", "GET", "/readyz", nil)
			one.Refused(t, 503, "building", "GET", "/v1/contacts", nil)

			projecting := serve("projections,reactions")
			two.Get(t, "/v1/contacts/"+early.ID(t), testdesk.Header("Daybook-After", early.Position()))
			for _, c := range []testdesk.Client{one, two, projecting} {
				c.CaughtUp(t)
				c.Get(t, "/readyz")
				if projects(t, c) != (c == projecting) {
					t.Errorf("%s says that it projects: %v", c.URL, c != projecting)
				}
			}
			readsAtOnce(t, one, two, 30)
			projecting.Refused(t, 404, "no-such-path", "GET", "/v1/contacts", nil)
			one.Refused(t, 409, "posted-elsewhere", "POST", "/v1/projections/rebuild", nil)
			one.Refused(t, 409, "posted-elsewhere", "POST", "/v1/projections/contacts/retry", nil)
			if _, talk, exit := inProcess.Run(t, append([]string{"rebuild", "--data", folder}, where...)...); exit != conflict || !strings.Contains(talk, "--url") {
				t.Errorf("a rebuild beside the one that projects: exit %d, %s", exit, talk)
			}
			projecting.Must(t, 202, "POST", "/v1/projections/rebuild", nil)
			readsAtOnce(t, two, one, 30)

			// One request is sent to both at once.
			answers := make([]testdesk.Answer, 16)
			var asking sync.WaitGroup
			for i := range answers {
				asking.Go(func() {
					answers[i] = []testdesk.Client{one, two}[i%2].Do(t, "POST", "/v1/inquiries", testdesk.Inquiry("nora", "Help"), testdesk.Header("Idempotency-Key", "once"))
				})
			}
			asking.Wait()
			for _, a := range answers {
				if a.Status != 201 || string(a.Body) != string(answers[0].Body) {
					t.Errorf("%s, and %s", a, answers[0])
				}
			}
			one.CaughtUp(t)
			if tickets := one.All(t, "/v1/tickets"); len(tickets) != 1 {
				t.Errorf("one request made %d tickets", len(tickets))
			}
			inProcess.Must(t, someRejected, append([]string{"import", "--data", folder, testdesk.JournalFile(t)}, where...)...) // beside the others
			inProcess.Must(t, 0, append([]string{"verify", "--data", folder}, where...)...)
		})
	}
}

// TestASleepingPoster suspends the process that projects for longer than its lease, and wakes it. Another must have taken
// over, and continue. Then that process is killed.
func TestASleepingPoster(t *testing.T) {
	t.Parallel()
	folder, u := t.TempDir(), testdb.URL(t)
	where := append(shared(u, u), "--lease", "500ms")
	desk, _ := reexec.StartServer(t, folder, append(where, "--only", "api")...)
	type projector struct {
		testdesk.Client
		*testdesk.Process
	}
	var projectors []projector
	for range 2 {
		c, p := reexec.StartServer(t, folder, append(where, "--only", "projections")...)
		projectors = append(projectors, projector{c, p})
	}
	awake := func(p projector) bool { return projects(t, p.Client) }
	for range 4 {
		readsAtOnce(t, desk, desk, 10)
		var now int
		testdesk.Eventually(t, "one projects", func() bool { now = slices.IndexFunc(projectors, awake); return now >= 0 })
		asleep, other := projectors[now], projectors[1-now]
		asleep.Signal(syscall.SIGSTOP)
		testdesk.Eventually(t, "the other projects", func() bool { return projects(t, other.Client) })
		readsAtOnce(t, desk, desk, 10)
		asleep.Signal(syscall.SIGCONT)
		testdesk.Eventually(t, "the suspended process knows", func() bool { return !projects(t, asleep.Client) })
		readsAtOnce(t, desk, desk, 10)
		asleep.CaughtUp(t)
		inProcess.Must(t, 0, append([]string{"verify", "--data", folder}, where...)...)
	}
	now := slices.IndexFunc(projectors, awake)
	projectors[now].Kill()
	testdesk.Eventually(t, "the other projects", func() bool { return projects(t, projectors[1-now].Client) })
	readsAtOnce(t, desk, desk, 10)
	inProcess.Must(t, 0, append([]string{"verify", "--data", folder}, where...)...)
}

// TestNotThereYet is case 3.14: it queries what no process projects. One thing is there at once; a list says how stale it is.
func TestNotThereYet(t *testing.T) {
	t.Parallel()
	folder, u := t.TempDir(), testdb.URL(t)
	desk, _ := reexec.StartServer(t, folder, append(shared(u, u), "--only", "api")...)
	_, projecting := reexec.StartServer(t, folder, append(shared(u, u), "--only", "projections")...)
	readsAtOnce(t, desk, desk, 1)
	projecting.Kill()
	made := desk.Must(t, 201, "POST", "/v1/contacts", map[string]any{"name": "Not yet"})
	at, after, wait := made.Header.Get("Location"), testdesk.Header("Daybook-After", made.Position()), testdesk.Header("Prefer", "wait=0")
	a := desk.Must(t, 200, "GET", "/v1/contacts", nil, after, wait)
	if a.Header.Get("Daybook-Stale-By") != "1" || strings.Contains(string(a.Body), "Not yet") {
		t.Error(a)
	}
	a = desk.Must(t, 200, "GET", at, nil, after, wait) // one thing is read from its stream
	if a.Header.Get("Daybook-Stale-By") != "" || a.Object(t)["name"] != "Not yet" || a.Position() != made.Position() {
		t.Error(a)
	}
	desk.Must(t, 200, "GET", at+"/timeline", nil)
	desk.Must(t, 200, "GET", at+"/tickets", nil)
	desk.Refused(t, 404, "contact-unknown", "GET", "/v1/contacts/00000000-0000-4000-8000-000000000000", nil)
	sales := desk.Must(t, 201, "POST", "/v1/departments", map[string]any{"name": "Sales"}).ID(t)
	ada := desk.Must(t, 201, "POST", "/v1/agents", map[string]any{"name": "Ada", "email": "ada@desk.example", "role": "agent"}).ID(t)
	hidden := desk.Must(t, 201, "POST", "/v1/tickets", map[string]any{"contact_id": made.ID(t), "channel": "call", "subject": "s", "department_id": sales}).Header.Get("Location")
	desk.Must(t, 200, "GET", hidden, nil)
	out := inProcess.Must(t, 0, append([]string{"key", "create", "--data", folder, "--name", "ada", "--role", "agent", "--agent", ada}, shared(u, u)...)...)
	desk.As(strings.TrimSpace(out)).Refused(t, 404, "ticket-unknown", "GET", hidden, nil)
	for _, path := range []string{"/v1/departments/" + sales, "/v1/agents/" + ada, "/v1/agents/" + ada + "/timeline", "/v1/tickets?department=" + sales} {
		desk.Must(t, 200, "GET", path, nil)
	}
}

// A balancer sends each request to one of the ready servers in turn, like a real load balancer. It does not retry.
type balancer struct {
	mu    sync.Mutex
	ready []*url.URL
	next  int
}

// watch polls the readiness of a server until it is gone.
func (b *balancer) watch(t *testing.T, c testdesk.Client, gone <-chan struct{}) {
	target, err := url.Parse(c.URL)
	if err != nil {
		t.Error(err)
		return
	}
	every := time.NewTicker(20 * time.Millisecond)
	defer every.Stop()
	for {
		a, err := c.Try(context.Background(), "GET", "/readyz", nil)
		b.mu.Lock()
		b.ready = slices.DeleteFunc(b.ready, func(u *url.URL) bool { return u == target })
		if err == nil && a.Status == http.StatusOK {
			b.ready = append(b.ready, target)
		}
		b.mu.Unlock()
		select {
		case <-every.C:
		case <-gone:
			return
		}
	}
}

// pick returns a server, or nil.
func (b *balancer) pick() *url.URL {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.ready) == 0 {
		return nil
	}
	b.next++
	return b.ready[b.next%len(b.ready)]
}

// TestRollingRestart restarts the servers of a desk one after another while clients write and read. No request may fail.
func TestRollingRestart(t *testing.T) {
	t.Parallel()
	folder, u := t.TempDir(), testdb.URL(t)
	var b balancer
	proxy := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		if target := b.pick(); target != nil {
			r.SetURL(target)
		}
	}, Transport: &http.Transport{MaxIdleConnsPerHost: 64}}
	front := httptest.NewServer(proxy)
	defer front.Close()
	start := func() (testdesk.Client, *testdesk.Process) {
		c, p := reexec.StartServer(t, folder, append(shared(u, u), "--linger", "1s", "--lease", "1h")...) // each gives its lease back
		testdesk.Eventually(t, "it is ready", func() bool { return c.Do(t, "GET", "/readyz", nil).Status == http.StatusOK })
		go b.watch(t, c, p.Ended())
		return c, p
	}
	desk, one := start()
	_, two := start()
	servers := []*testdesk.Process{one, two}
	testdesk.Eventually(t, "there is a server", func() bool { return b.pick() != nil })

	c := desk.Through(front.URL, front.Client())
	c.HTTP.Transport.(*http.Transport).MaxIdleConnsPerHost = 64
	var asked atomic.Int64
	done := make(chan struct{})
	var people sync.WaitGroup
	for range 8 {
		people.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
					readsAtOnce(t, c, c, 1)
					asked.Add(2)
				}
			}
		})
	}
	for range 2 {
		for i := range servers {
			before := asked.Load()
			old := servers[i]
			_, servers[i] = start()
			old.Terminate(t)
			testdesk.Eventually(t, "people go on", func() bool { return asked.Load() > before+100 })
		}
	}
	close(done)
	people.Wait()
	t.Logf("soak: %d requests while 4 servers were replaced, none failed", asked.Load())
	inProcess.Must(t, 0, append([]string{"verify", "--data", folder}, shared(u, u)...)...)
}

// TestOnly checks that --only is refused for desks that only one process can open.
func TestOnly(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{
		{"--only", "api"},
		{"--only", "projections", "--read-models", "postgres://127.0.0.1:1/desk"},
		{"--only", "api,projections", "--events", "postgres://127.0.0.1:1/desk"},
	} {
		_, talk, exit := inProcess.Run(t, append([]string{"serve", "--data", t.TempDir(), "--listen", "127.0.0.1:0"}, args...)...)
		if exit != wrongUsage || !strings.Contains(talk, "--only requires --events and --read-models") {
			t.Errorf("%v: exit %d, %s", args, exit, talk)
		}
	}
	if _, talk, exit := inProcess.Run(t, "serve", "--data", t.TempDir(), "--lease=-1s"); exit != wrongUsage || !strings.Contains(talk, "at least 100ms") {
		t.Errorf("exit %d, %s", exit, talk)
	}
	if _, talk, exit := inProcess.Run(t, "import", "--data", t.TempDir(), "--source", "A B", testdesk.JournalFile(t)); exit != wrongUsage || !strings.Contains(talk, "source must") {
		t.Errorf("exit %d, %s", exit, talk)
	}
	if _, talk, exit := inProcess.Run(t, "serve", "--only", "mail"); exit != wrongUsage || !strings.Contains(talk, `"reactions"`) {
		t.Errorf("exit %d, %s", exit, talk)
	}
}

// TestFoldersOfTheirOwn serves one desk from three data folders that share nothing but the master key. Log, vault and read models are in
// PostgreSQL.
func TestFoldersOfTheirOwn(t *testing.T) {
	t.Parallel()
	u, first := testdb.URL(t), t.TempDir()
	where := append(shared(u, u), "--vault", u)
	one, _ := reexec.Serve(t, first, where...)
	servers := []testdesk.Client{one}
	for range 2 {
		folder := t.TempDir()
		_, talk, exit := inProcess.Run(t, append([]string{"key", "list", "--data", folder}, where...)...)
		if exit == 0 || !strings.Contains(talk, "is missing") {
			t.Errorf("without the master key: %d, %s", exit, talk)
		}
		for _, name := range []string{"vault.key", "owner.key"} {
			data, err := os.ReadFile(filepath.Join(first, name))
			if err == nil {
				err = os.WriteFile(filepath.Join(folder, name), data, 0o600)
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		c, _ := reexec.Serve(t, folder, where...)
		servers = append(servers, c)
	}
	var nora string
	var answers []testdesk.Answer
	for i, c := range servers {
		answer := c.Must(t, 201, "POST", "/v1/contacts", map[string]any{"name": "Nora", "emails": []string{"nora@customers.example"}}, testdesk.Header("Idempotency-Key", "once"))
		nora = answer.ID(t)
		answers = append(answers, answer)
		if string(answer.Body) != string(answers[0].Body) || (answer.Header.Get("Idempotent-Replayed") == "true") != (i > 0) {
			t.Errorf("server %d: %s, want %s", i, answer, answers[0])
		}
	}
	for i, c := range servers {
		c.Must(t, 200, "PATCH", "/v1/contacts/"+nora, map[string]any{"note": fmt.Sprint("By server ", i)})
	}
	key := strings.TrimSpace(inProcess.Must(t, 0, append([]string{"key", "create", "--name", "panel", "--role", "agent", "--data", first}, where...)...))
	id, _, _ := strings.Cut(strings.TrimPrefix(key, "daybook_"), "_")
	as := testdesk.Header("Authorization", "Bearer "+key)
	for _, c := range servers {
		c.Must(t, 200, "GET", "/v1/me", nil, as)
	}
	inProcess.Must(t, 0, append([]string{"key", "revoke", id, "--data", first}, where...)...)
	for _, c := range servers {
		c.Refused(t, 401, "key-unknown", "GET", "/v1/me", nil, as)
	}
	if files, err := filepath.Glob(filepath.Join(first, "vault.db*")); err != nil || len(files) > 0 {
		t.Error(files, err)
	}
	inProcess.Must(t, 0, append([]string{"verify", "--data", first}, where...)...)
}

// TestDeletingAnAgentInTwoProcesses is case 5.7: an agent with 150 open tickets is deleted through two processes at once. At the
// position of an answer that says it is done, none of the tickets is theirs, whichever process is asked.
func TestDeletingAnAgentInTwoProcesses(t *testing.T) {
	t.Parallel()
	u := testdb.URL(t)
	folder, where := t.TempDir(), shared(u, u)
	one, _ := reexec.StartServer(t, folder, where...)
	two, _ := reexec.StartServer(t, folder, where...)
	ada := one.Must(t, 201, "POST", "/v1/agents", map[string]any{"name": "Ada", "email": "ada@desk.example", "role": "agent"}).ID(t)
	const tickets = 150
	for range tickets {
		ticket := one.Must(t, 201, "POST", "/v1/inquiries", testdesk.Inquiry("nora", "Help")).ID(t)
		one.Must(t, 200, "POST", "/v1/tickets/"+ticket+"/assign", map[string]any{"agent_id": ada})
	}
	var deleting sync.WaitGroup
	for _, c := range []testdesk.Client{one, two} {
		deleting.Go(func() {
			a := c.Do(t, "DELETE", "/v1/agents/"+ada, nil)
			if a.Status == 202 {
				testdesk.Eventually(t, "the operation ends", func() bool {
					o := c.Do(t, "GET", a.Header.Get("Location"), nil)
					return o.Status == 200 && o.Object(t)["ended_at"] != nil
				})
			} else if a.Status != 200 {
				t.Errorf("%s", a)
				return
			}
			for _, reader := range []testdesk.Client{one, two} {
				list := reader.Get(t, "/v1/tickets?limit=200&agent="+ada, testdesk.Header("Daybook-After", a.Position()))
				if theirs := list.Object(t)["data"].([]any); a.Status == 200 && len(theirs) > 0 {
					t.Errorf("at position %s, %d tickets are still theirs", a.Position(), len(theirs))
				}
			}
		})
	}
	deleting.Wait()
	one.CaughtUp(t)
	if free := one.Get(t, "/v1/tickets?limit=200&agent=none").Object(t)["data"].([]any); len(free) != tickets {
		t.Errorf("%d tickets are nobody's, want %d", len(free), tickets)
	}
	if events := one.All(t, "/v1/events?type=ticket-unassigned"); len(events) != tickets {
		t.Errorf("%d tickets were unassigned, want %d", len(events), tickets)
	}
}
