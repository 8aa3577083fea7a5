package main

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/jmoiron/sqlx"

	"daybook/api"
	"daybook/internal/testdb"
	"daybook/internal/testdesk"
	"daybook/readmodels/table"
)

// TestSeveralProcessesAndFaults serves one desk on PostgreSQL from several processes, with random faults, also several at
// once. Clients repeat each request with its key, to any process, until it is answered. Every answered request must have
// taken effect exactly once, and when the faults are over, the desk must recover by itself.
func TestSeveralProcessesAndFaults(t *testing.T) {
	t.Parallel()
	faults, n := 10, 200
	if testdesk.Soak() {
		faults, n = 200, 4000
	}
	d := disturb(t)
	l := d.begin(n)
	struck := map[string]int{}
	for i, kind := range d.sequence(faults) {
		d.Log(time.Now().Format(time.TimeOnly), kind.name)
		if kind.strike() {
			struck[kind.name]++
		}
		l.goOn(d.random.IntN(2 * n / faults))
		for len(d.amiss) > d.random.IntN(3) {
			d.repair(d.random.IntN(len(d.amiss)))
		}
		if i%20 == 19 {
			d.comesRight(l)
		}
	}
	l.goOn(n)
	d.comesRight(l)
	l.end(d.desk())
	var counts []string
	for _, name := range slices.Sorted(maps.Keys(struck)) {
		counts = append(counts, fmt.Sprint(struck[name], " ", name))
	}
	t.Logf("soak: %s; %d requests, sent %d times", strings.Join(counts, ", "), n, l.tries.Load())

	for _, p := range d.parts {
		p.Terminate(t)
	}
	if out := inProcess.Must(t, 0, append(append([]string{"rebuild", "--data", d.folder}, d.where...), "--lease", "1m")...); !strings.Contains(out, ", with 0 differences") {
		t.Errorf("rebuilt: %s", out)
	}
	d.verified()
}

// A disturbed desk is a desk with faults.
type disturbed struct {
	*testing.T
	random *rand.Rand
	server *testdb.Server
	away   bool // the PostgreSQL server
	folder string
	where  []string
	parts  []*part
	amiss  []func() // ends each fault that lasts
}

// A part is one of the processes. It may be restarted.
type part struct {
	only   string
	folder string // its own; empty: the desk's
	*testdesk.Process
	now          atomic.Pointer[testdesk.Client] // where it listens, or last listened
	dead, asleep bool
}

func (p *part) answers() bool { return strings.Contains(p.only, "api") }
func (p *part) mayPost() bool { return strings.Contains(p.only, "projections") }
func (p *part) works() bool   { return !p.dead && !p.asleep }

// disturb serves a desk from four processes. Three of them answer requests, and two of the four may project.
func disturb(t *testing.T) *disturbed {
	server := testdb.NewServer(t)
	d := &disturbed{T: t, random: testdesk.Chance(t), server: server, folder: t.TempDir()}
	d.where = append(shared(server.URL(), server.URL()), "--lease", "500ms")
	for _, only := range []string{"api", "api", "projections,reactions", "api,projections,reactions"} {
		p := &part{only: only}
		d.parts = append(d.parts, p)
		d.start(p)
	}
	return d
}

// start starts a process. It needs the PostgreSQL server.
func (d *disturbed) start(p *part) {
	d.Helper()
	d.comesBack()
	c, started := reexec.StartServer(d.T, cmp.Or(p.folder, d.folder), append(d.where, "--only", p.only)...)
	p.Process, p.dead, p.asleep = started, false, false
	p.now.Store(&c)
}

// comesBack starts the PostgreSQL server again if it is away.
func (d *disturbed) comesBack() {
	d.Helper()
	if d.away {
		d.server.Start(d.T)
		d.away = false
	}
}

// any returns a process without faults, or nil.
func (d *disturbed) any(should func(*part) bool) *part {
	some := slices.DeleteFunc(slices.Clone(d.parts), func(p *part) bool { return !should(p) })
	if len(some) == 0 {
		return nil
	}
	return some[d.random.IntN(len(some))]
}

// desk returns a process that answers requests.
func (d *disturbed) desk() testdesk.Client { return *d.any((*part).answers).now.Load() }

// lasts records how to end a fault.
func (d *disturbed) lasts(end func()) bool {
	d.amiss = append(d.amiss, end)
	return true
}

// repair ends one of the faults that last.
func (d *disturbed) repair(n int) {
	d.Helper()
	end := d.amiss[n]
	d.amiss = slices.Delete(d.amiss, n, n+1)
	end()
}

// nothingAmiss ends all faults.
func (d *disturbed) nothingAmiss() {
	d.Helper()
	for len(d.amiss) > 0 {
		d.repair(0)
	}
}

// A fault reports whether it happened.
type fault struct {
	name   string
	strike func() bool
}

// sequence returns a random sequence of faults, with the same number of each kind.
func (d *disturbed) sequence(n int) (all []fault) {
	kinds := []fault{
		{"kills", d.kill}, {"kills", d.kill}, {"ends", d.end}, {"sleeping projectors", d.projectorSleeps}, {"sleepers", d.anySleeps},
		{"ends of PostgreSQL", d.serverEnds}, {"cuts", d.cut}, {"rebuilds", d.rebuild}, {"dashboards", d.dashboard}, {"drops", d.drop},
	}
	for len(all) < n {
		for _, kind := range d.random.Perm(len(kinds)) {
			all = append(all, kinds[kind])
		}
	}
	return all[:n]
}

func (d *disturbed) kill() bool {
	p := d.any(func(p *part) bool { return !p.dead })
	if p == nil {
		return false
	}
	p.Kill()
	p.dead = true
	return d.lasts(func() { d.start(p) })
}

func (d *disturbed) end() bool {
	p := d.any((*part).works)
	if p == nil {
		return false
	}
	p.Terminate(d.T)
	p.dead = true
	return d.lasts(func() { d.start(p) })
}

// projectorSleeps suspends the process that projects, at least until another has taken over.
func (d *disturbed) projectorSleeps() bool {
	if d.away || slices.ContainsFunc(d.parts, func(p *part) bool { return p.mayPost() && !p.works() }) {
		d.nothingAmiss()
	}
	projecting := d.whoProjects()
	d.suspend(projecting)
	d.whoProjects()
	return true
}

func (d *disturbed) anySleeps() bool {
	p := d.any((*part).works)
	if p != nil {
		d.suspend(p)
	}
	return p != nil
}

func (d *disturbed) suspend(p *part) {
	p.Signal(syscall.SIGSTOP)
	p.asleep = true
	d.lasts(func() {
		p.Signal(syscall.SIGCONT) // unless it was killed
		p.asleep = false
	})
}

func (d *disturbed) serverEnds() bool {
	if d.away {
		return false
	}
	d.server.Stop(d.T, []os.Signal{syscall.SIGQUIT, syscall.SIGINT, syscall.SIGKILL}[d.random.IntN(3)])
	d.away = true
	return d.lasts(d.comesBack)
}

// cut ends all connections to the PostgreSQL server.
func (d *disturbed) cut() bool {
	return d.does("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()") == nil
}

// rebuild asks the process that projects for a rebuild. Another may have taken over by then.
func (d *disturbed) rebuild() bool {
	if d.away || d.any(func(p *part) bool { return p.mayPost() && p.works() }) == nil {
		d.nothingAmiss()
	}
	_, talk, exit := reexec.Run(d.T, "rebuild", "--data", d.folder, "--url", d.whoProjects().now.Load().URL)
	if exit != 0 && exit != conflict {
		d.Errorf("rebuild --url: exit %d, %s", exit, talk)
	}
	return exit == 0
}

// dashboard runs a long query on the views for dashboards.
func (d *disturbed) dashboard() bool {
	d.comesBack()
	db := sqlx.MustOpen("postgres", d.server.URL())
	tx, err := db.Begin()
	if err == nil {
		_, err = tx.Exec("SELECT count(*) FROM reporting.contacts JOIN reporting.tickets USING (contact_id)")
	}
	if err != nil { // the rows were just dropped
		db.Close()
		return false
	}
	return d.lasts(func() { db.Close() })
}

// drop drops the live read models, unless a query reads them.
func (d *disturbed) drop() bool {
	d.comesBack()
	home, err := table.NewSchemas(d.server.URL(), table.SchemasOptions{})
	if err != nil {
		d.Fatal(err)
	}
	defer home.Close()
	all, err := home.Generations(d.Context())
	if err != nil {
		d.Fatal(err)
	}
	for _, g := range slices.Backward(all) {
		if g.State == table.Ready {
			return d.does(fmt.Sprintf("SET lock_timeout = '1s'; DROP SCHEMA readmodels_%d CASCADE", g.Number)) == nil
		}
	}
	return false
}

// does executes SQL on the PostgreSQL server.
func (d *disturbed) does(statement string) error {
	d.Helper()
	d.comesBack()
	db := sqlx.MustOpen("postgres", d.server.URL())
	defer db.Close()
	_, err := db.Exec(statement)
	return err
}

// whoProjects waits until exactly one process says that it projects.
func (d *disturbed) whoProjects() (one *part) {
	d.Helper()
	said := ""
	d.Cleanup(func() {
		if d.Failed() {
			d.Log("who projected, as last seen:", said)
		}
	})
	testdesk.Eventually(d.T, "one projects", func() bool {
		projecting := 0
		said = ""
		for _, p := range d.parts {
			all, answer := d.projections(p)
			said += "\n" + p.only + ": " + answer
			if len(all) > 0 && all[0].Posting {
				one = p
				projecting++
			}
		}
		return projecting == 1
	})
	return one
}

// projections returns the status of the projections as a process reports it, or nothing, and what it answered.
func (d *disturbed) projections(p *part) (all []api.ProjectionStatus, answer string) {
	if !p.works() {
		return nil, "not asked"
	}
	a, err := p.now.Load().Try(d.Context(), "GET", "/v1/projections", nil)
	if err != nil {
		return nil, err.Error()
	}
	var list struct{ Data []api.ProjectionStatus }
	if a.Status == 200 {
		a.Into(d.T, &list)
	}
	return list.Data, a.String()
}

// comesRight ends all faults and does nothing else. Then all requests must be answered, one process must project, and each
// must show all rows, which must match the log.
func (d *disturbed) comesRight(l *requests) {
	d.Helper()
	d.nothingAmiss()
	l.allAnswered()
	last := d.desk().Must(d.T, 201, "POST", "/v1/contacts", map[string]any{"name": "Last"}) // dropped read models are noticed at the next event
	d.whoProjects()
	for _, p := range d.parts {
		c := *p.now.Load()
		testdesk.Eventually(d.T, "it is ready", func() bool {
			a, err := c.Try(d.Context(), "GET", "/readyz", nil)
			return err == nil && a.Status == 200
		})
		c.CaughtUp(d.T)
		if p.answers() {
			c.Get(d.T, last.Header.Get("Location"), testdesk.Header("Daybook-After", last.Position()), testdesk.Header("Prefer", "handling=strict"))
		}
	}
	d.verified()
}

func (d *disturbed) verified() {
	d.Helper()
	inProcess.Must(d.T, 0, append([]string{"verify", "--data", d.folder}, d.where...)...)
}

// requests are sent by several clients at once, each until it is answered.
type requests struct {
	*testing.T
	all     []request
	answers []testdesk.Answer
	given   int // how many of them may be sent
	next    chan int

	answered, tries atomic.Int64
}

// begin starts clients that send requests: on few existing things, and for new ones.
func (d *disturbed) begin(n int) *requests {
	d.Helper()
	all := commandMix(d.T, d.desk(), max(64, n*3/4))
	steps := []string{"resolve", "reopen", "postpone", "resume", "spam", "unspam"}
	var tickets []string
	for i := range 4 {
		tickets = append(tickets, d.desk().Must(d.T, 201, "POST", "/v1/inquiries", testdesk.Inquiry(fmt.Sprintf("steps-%d", i), "Steps")).ID(d.T))
	}
	for i := range n - len(all) {
		mark := fmt.Sprintf("mark-new-%d.", i)
		all = append(all, []request{
			{"POST", "/v1/contacts", map[string]any{"name": mark}, mark},
			{"POST", "/v1/tickets/" + tickets[d.random.IntN(4)] + "/" + steps[d.random.IntN(len(steps))], nil, ""}, // sometimes allowed
		}[i%2])
	}
	d.random.Shuffle(n, func(i, j int) { all[i], all[j] = all[j], all[i] })
	l := &requests{T: d.T, all: all, answers: make([]testdesk.Answer, n), next: make(chan int, n)}
	var desks []*part
	for _, p := range d.parts {
		if p.answers() {
			desks = append(desks, p)
		}
	}
	var people sync.WaitGroup
	for range 16 {
		random := rand.New(rand.NewPCG(d.random.Uint64(), 0))
		ask := func(method, path string, body any, change ...testdesk.With) (testdesk.Answer, bool) {
			ctx, cancel := context.WithTimeout(d.Context(), time.Duration(100+random.IntN(3000))*time.Millisecond)
			defer cancel()
			a, err := desks[random.IntN(len(desks))].now.Load().Try(ctx, method, path, body, change...)
			if err != nil && strings.Contains(err.Error(), "OpenAPI") {
				d.Error(err)
			}
			return a, err == nil && a.Status < 500 && a.Status != 408
		}
		people.Go(func() {
			for i := range l.next {
				l.send(i, ask)
			}
		})
	}
	d.Cleanup(people.Wait)
	d.Cleanup(sync.OnceFunc(func() { close(l.next) }))
	return l
}

// goOn has more requests sent, and waits until as many were tried, or all are answered.
func (l *requests) goOn(n int) {
	l.Helper()
	tries := l.tries.Load()
	for ; n > 0 && l.given < len(l.all); n-- {
		l.next <- l.given
		l.given++
		tries++
	}
	testdesk.Eventually(l.T, "people go on", func() bool { return l.tries.Load() >= tries || l.answered.Load() == int64(l.given) })
}

func (l *requests) allAnswered() {
	l.Helper()
	testdesk.Eventually(l.T, "all is answered", func() bool { return l.answered.Load() == int64(l.given) })
}

// send sends a request until it is answered, and then reads the thing that it is about.
func (l *requests) send(i int, ask func(method, path string, body any, change ...testdesk.With) (testdesk.Answer, bool)) {
	r := l.all[i]
	var a testdesk.Answer
	testdesk.Eventually(l.T, "a request is answered", func() bool {
		if l.Context().Err() != nil {
			return true
		}
		var answered bool
		a, answered = ask(r.method, r.path, r.body, known(i))
		l.tries.Add(1)
		return answered
	})
	l.answers[i] = a
	defer l.answered.Add(1)
	if a.Status >= 300 || i%4 > 0 || l.Context().Err() != nil {
		return
	}
	thing := a.Header.Get("Location") // of a new thing
	if thing == "" {
		thing = strings.Join(strings.Split(r.path, "/")[:4], "/")
	}
	seen, answered := ask("GET", thing, nil, testdesk.Header("Daybook-After", a.Position()), testdesk.Header("Prefer", "wait=1"))
	if !answered || seen.Header.Get("Daybook-Stale-By") != "" {
		return
	}
	if seen.Status != 200 || revision(seen) < revision(a) {
		l.Errorf("%s %s was answered: %s\nand then there was %s", r.method, r.path, a, seen)
	}
}

func revision(a testdesk.Answer) int {
	n, err := strconv.Atoi(strings.Trim(a.Header.Get("ETag"), `"`))
	if err != nil {
		return -1
	}
	return n
}

// end compares all answers with the log, and with the answers to the same requests now.
func (l *requests) end(c testdesk.Client) {
	l.Helper()
	send(c, l.all, func(i int, again testdesk.Answer, err error) {
		r, first := l.all[i], l.answers[i]
		switch {
		case err != nil:
			l.Errorf("%s %s: %v", r.method, r.path, err)
		case r.took != "" && first.Status >= 300:
			l.Errorf("%s %s was refused: %s", r.method, r.path, first)
		case first.Status != http.StatusNotFound && again.Header.Get("Idempotent-Replayed") != "true": // not found is not stored, since the thing may exist later
			l.Errorf("%s %s was answered before, and carried out again", r.method, r.path)
		case !sameAnswer(first, again):
			l.Errorf("%s %s: the first answer was %s\nand the second is %s", r.method, r.path, first, again)
		}
	})
	c.TookOnce(l.T, marks(l.all)...)
	seen := map[string]bool{}
	for _, e := range c.All(l.T, "/v1/events") {
		what := fmt.Sprint(e["request_id"], " ", e["type"], " ", e["stream"])
		claims := strings.Contains(what, "claim") // an interrupted request may claim a name again, which changes no thing
		if seen[what] && !claims {
			l.Errorf("request %s took effect twice", what)
		}
		seen[what] = true
	}
	if found := c.All(l.T, "/v1/contacts?q=fresh@customers.example"); len(found) != 1 {
		l.Errorf("inquiries from one new address made %d contacts", len(found))
	}
}
