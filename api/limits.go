package api

import (
	"fmt"
	"net"
	"net/netip"
	"reflect"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Limits bound what a client can cost. The defaults are in the tags, as daybook help shows them; a Limits of zeros means the
// defaults.
type Limits struct {
	Body       int64         `help:"Largest body of a request in bytes, except for an import; 413." default:"1048576" env:"BODY"`
	Journal    int64         `help:"Largest journal that can be sent in one request, in bytes as sent; 413." default:"16777216" env:"JOURNAL"`
	Unpacked   int64         `help:"Largest journal that can be sent in one request, in bytes once unpacked; 413." default:"1073741824" env:"UNPACKED"`
	BodyTime   time.Duration `help:"How long the body of a request may take to arrive, from the beginning of the request; for an import, each part of it; 408." default:"30s" env:"BODY_TIME"`
	AnswerTime time.Duration `help:"How long a client may take to read each part of an answer; then the connection is closed." default:"30s" env:"ANSWER_TIME"`
	Values     int           `help:"Most values of one parameter of a request; 422." default:"100" env:"VALUES"`
	Buckets    int           `help:"Most buckets of a report; 422." default:"10000" env:"BUCKETS"`
	Reports    int           `help:"Most reports that are computed and sent at the same time; the others wait. Each takes memory for its answer, and for the durations of a few agents." default:"4" env:"REPORTS"`
	Requests   int           `help:"Most requests of one API key at the same time in this process, not counting event streams; 429." default:"500" env:"REQUESTS"`
	Streams    int           `help:"Most event streams of one API key at the same time in this process; 429." default:"50" env:"STREAMS"`
	WrongKeys  int           `help:"Most wrong API keys from one address in a minute; then keys that this process has not seen succeed are not tried; 429. Behind a proxy, all its clients are one address." default:"10" env:"WRONG_KEYS"`
}

// Validate returns an error if a limit would let nothing through.
func (l Limits) Validate() error {
	v := reflect.ValueOf(l)
	for i := range v.NumField() {
		if field := v.Type().Field(i); v.Field(i).Int() <= 0 {
			name := strings.ToLower(strings.ReplaceAll(field.Tag.Get("env"), "_", "-"))
			return fmt.Errorf("--limit-%s must be more than 0; its default is %s", name, field.Tag.Get("default"))
		}
	}
	return nil
}

// limited are the codes of the problems that a limit leads to, each with the limit's name in the metrics.
var limited = map[string]string{
	"too-large": "body", "journal-too-large": "unpacked", "too-slow": "body-time", "too-many-values": "values",
	"too-many-requests": "requests", "too-many-streams": "streams", "too-many-wrong-keys": "wrong-keys", "period-too-long": "buckets",
}

// answerTime is the name of the limit of clients that do not read their answer.
const answerTime = "answer-time"

// inTurn is the name of the limit of reports at once.
const inTurn = "reports"

// exceeded tells that a limit was met.
func (s *server) exceeded(limit string) {
	if s.Exceeded != nil {
		s.Exceeded(limit)
	}
}

// Limited lists the names of the limits that requests can meet.
func Limited() []string {
	names := []string{answerTime, inTurn}
	for _, name := range limited {
		names = append(names, name)
	}
	return names
}

// orDefault returns the limits, or the defaults if none is set.
func (l Limits) orDefault() Limits {
	if l != (Limits{}) {
		return l
	}
	v := reflect.ValueOf(&l).Elem()
	for i := range v.NumField() {
		text := v.Type().Field(i).Tag.Get("default")
		n, err := strconv.ParseInt(text, 10, 64)
		if v.Field(i).Type() == reflect.TypeFor[time.Duration]() {
			var d time.Duration
			d, err = time.ParseDuration(text)
			n = int64(d)
		}
		if err != nil {
			panic(err) // the tags are ours
		}
		v.Field(i).SetInt(n)
	}
	return l
}

// counts counts what each key does at the moment.
type counts struct {
	mutex sync.Mutex
	of    map[string]int
}

// begin counts one more, unless there are most already.
func (c *counts) begin(key string, most int) bool {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	if c.of[key] >= most {
		return false
	}
	if c.of == nil {
		c.of = make(map[string]int)
	}
	c.of[key]++
	return true
}

// end counts one less.
func (c *counts) end(key string) {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	if c.of[key]--; c.of[key] == 0 {
		delete(c.of, key)
	}
}

// wrongKeys counts the wrong keys of each address in a minute.
type wrongKeys struct {
	mutex sync.Mutex
	from  map[string]*window
}

type window struct {
	began time.Time
	count int
}

// Addresses that are counted at the same time. Beyond that, all others are one.
const maxAddresses = 10_000

// over returns how long an address must wait because it has sent most wrong keys; 0: it need not.
func (w *wrongKeys) over(address string, most int, now time.Time) time.Duration {
	w.mutex.Lock()
	defer w.mutex.Unlock()
	at := w.from[w.counted(address)]
	if at == nil || at.count < most {
		return 0
	}
	return max(0, at.began.Add(time.Minute).Sub(now))
}

// note counts a wrong key.
func (w *wrongKeys) note(address string, now time.Time) {
	w.mutex.Lock()
	defer w.mutex.Unlock()
	if w.from == nil {
		w.from = make(map[string]*window)
	}
	if len(w.from) >= maxAddresses {
		for a, at := range w.from {
			if now.Sub(at.began) >= time.Minute {
				delete(w.from, a)
			}
		}
	}
	address = w.counted(address)
	at := w.from[address]
	if at == nil || now.Sub(at.began) >= time.Minute {
		at = &window{began: now}
		w.from[address] = at
	}
	at.count++
}

// counted returns the address by which an address is counted.
func (w *wrongKeys) counted(address string) string {
	if w.from[address] == nil && len(w.from) >= maxAddresses {
		return "others"
	}
	return address
}

// addressOf returns the address of a client: of IPv6 the network of 64 bits, since a client has all of it.
func addressOf(remote string) string {
	host, _, err := net.SplitHostPort(remote)
	if err != nil {
		return remote
	}
	ip, err := netip.ParseAddr(host)
	if err != nil || ip.Unmap().Is4() {
		return host
	}
	network, _ := ip.Prefix(64) // an IPv6 address has one
	return network.String()
}
