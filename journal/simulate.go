package journal

import (
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"time"

	"daybook/domain/zone"
)

// Simulate writes the journal of a made-up desk: shifts, contacts, companies, and tickets that are assigned, answered,
// transferred, postponed, resolved and reopened. The same seed, first day and number of days always write the same bytes.
// Times are in Europe/Rome.
func Simulate(w io.Writer, seed int64, from time.Time, days int) error {
	zone, err := zone.Load("Europe/Rome")
	if err != nil {
		return err
	}
	y, m, d := from.Date()
	s := &simulation{dice: rand.New(rand.NewPCG(uint64(seed), 0)), zone: zone, first: time.Date(y, m, d, 0, 0, 0, 0, zone)}
	s.open()
	for day := range days {
		s.day(s.first.AddDate(0, 0, day))
	}
	end := s.first.AddDate(0, 0, days)
	s.lines = slices.DeleteFunc(s.lines, func(l simulated) bool { return !l.at.Before(end) }) // what happens after the last day
	slices.SortStableFunc(s.lines, func(a, b simulated) int { return a.at.Compare(b.at) })
	for i, l := range s.lines {
		l.fields["id"] = fmt.Sprintf("s%d-%06d", seed, i+1)
		l.fields["at"] = l.at.Format(time.RFC3339)
		text, err := json.Marshal(l.fields)
		if err != nil {
			return err
		}
		if _, err := w.Write(append(text, '\n')); err != nil {
			return err
		}
	}
	return nil
}

// fields are a line's own fields.
type fields map[string]any

// simulated is a line whose number is not known until all lines are sorted.
type simulated struct {
	at     time.Time
	fields fields
}

type simulation struct {
	dice  *rand.Rand
	zone  *time.Location
	first time.Time

	lines   []simulated
	tickets int
}

// The names on the simulated desk.
var (
	departments = []string{"Support", "Billing", "Shipping"}
	staff       = []string{"Ann Rossi", "Bob Bianchi", "Carla Conti", "Dario Danti", "Elena Esposito", "Fabio Ferri"}
	firms       = []string{"Acme", "Borealis", "Cobalt", "Duomo", "Etna"}
	givenNames  = []string{"Ada", "Bruno", "Chiara", "Davide", "Emma", "Franco", "Gaia", "Hugo", "Irene", "Luca", "Marta", "Nino", "Olga", "Paolo", "Rita", "Sara"}
	familyNames = []string{"Amato", "Bruni", "Costa", "De Luca", "Fontana", "Greco", "Leone", "Marino", "Neri", "Rizzo"}
	questions   = []string{"Cannot sign in", "Invoice is wrong", "Parcel is late", "How do I export?", "Page is slow", "Refund please", "Wrong size", "Change my address"}
	topics      = []string{"login", "invoice", "delivery", "how-to", "outage"}
)

func (s *simulation) say(at time.Time, by, do string, f fields) {
	f["by"], f["do"] = by, do
	s.lines = append(s.lines, simulated{at, f})
}

// open creates departments, agents and companies, an hour before the first shift.
func (s *simulation) open() {
	at := s.first.Add(7 * time.Hour)
	for _, d := range departments {
		s.say(at, "system", "department.create", fields{"department": d, "name": d})
	}
	for i, name := range staff {
		role := "agent"
		if i == 0 {
			role = "admin"
		}
		s.say(at, "system", "agent.create", fields{"agent": agentRef(i), "name": name, "email": fmt.Sprintf("%s@desk.example", agentRef(i)), "role": role})
		s.say(at, "system", "agent.join_department", fields{"agent": agentRef(i), "department": departments[i%len(departments)]})
		if i%2 == 0 {
			s.say(at, "system", "agent.join_department", fields{"agent": agentRef(i), "department": departments[(i+1)%len(departments)]})
		}
	}
	for _, f := range firms {
		s.say(at, "agent:"+agentRef(0), "company.register", fields{"company": f, "name": f + " S.p.A.", "time_zone": "Europe/Rome"})
	}
}

func agentRef(i int) string { return fmt.Sprintf("agent-%d", i+1) }

// day writes the shifts and the tickets of one day. On Sundays the desk is closed.
func (s *simulation) day(midnight time.Time) {
	if midnight.Weekday() == time.Sunday {
		return
	}
	for i := range staff {
		if s.dice.Float64() < 0.15 {
			continue // a day off
		}
		a, start := agentRef(i), s.after(midnight.Add(8*time.Hour), 45*time.Minute)
		s.say(start, "agent:"+a, "agent.sign_in", fields{"agent": a, "device": "panel"})
		lunch := s.after(start.Add(4*time.Hour), 30*time.Minute)
		s.say(lunch, "agent:"+a, "agent.pause", fields{"agent": a})
		s.say(s.after(lunch.Add(30*time.Minute), 20*time.Minute), "agent:"+a, "agent.unpause", fields{"agent": a})
		s.say(s.after(start.Add(8*time.Hour), 40*time.Minute), "agent:"+a, "agent.sign_out", fields{"agent": a, "device": "panel"})
	}
	for range 12 + s.dice.IntN(12) {
		s.ticket(s.after(midnight.Add(7*time.Hour), 11*time.Hour))
	}
}

// after returns a random time between t and within later.
func (s *simulation) after(t time.Time, within time.Duration) time.Time {
	return t.Add(time.Duration(s.dice.Int64N(int64(within)))).Truncate(time.Second)
}

func pick[T any](s *simulation, from []T) T { return from[s.dice.IntN(len(from))] }

// ticket writes the lines of one ticket from its opening to its end.
func (s *simulation) ticket(at time.Time) {
	s.tickets++
	t := fmt.Sprintf("case-%d", s.tickets)
	given, family := pick(s, givenNames), pick(s, familyNames)
	department := pick(s, departments)
	agent := agentRef(s.dice.IntN(len(staff)))
	by := "agent:" + agent
	s.say(at, "contact", "ticket.open", fields{
		"ticket": t, "channel": pick(s, []string{"email", "email", "chat", "form", "whatsapp"}), "subject": pick(s, questions), "body": "Hello, can you help me?", "department": department,
		"from": sender(given, family),
	})
	if s.dice.Float64() < 0.05 {
		s.say(s.after(at, time.Hour), by, "ticket.spam", fields{"ticket": t})
		return
	}
	step := func(within time.Duration) time.Time { at = s.after(at.Add(time.Minute), within); return at }
	s.say(step(2*time.Hour), by, "ticket.tag", fields{"ticket": t, "tag": pick(s, topics)})
	s.say(step(time.Hour), by, "ticket.assign", fields{"ticket": t, "agent": agent})
	if s.dice.Float64() < 0.2 {
		s.say(step(time.Hour), by, "ticket.prioritise", fields{"ticket": t, "priority": pick(s, []string{"low", "high", "urgent"})})
	}
	if s.dice.Float64() < 0.15 {
		s.say(step(time.Hour), by, "ticket.transfer", fields{"ticket": t, "department": pick(s, departments)})
	}
	for range 1 + s.dice.IntN(3) {
		s.say(step(4*time.Hour), by, "ticket.reply", fields{"ticket": t, "body": "We are looking into it."})
		if s.dice.Float64() < 0.6 {
			s.say(step(20*time.Hour), "contact", "ticket.receive", fields{"ticket": t, "body": "Thank you. One more question."})
		}
	}
	if s.dice.Float64() < 0.2 {
		s.say(step(time.Hour), by, "ticket.note", fields{"ticket": t, "body": "Ask the warehouse."})
		s.say(step(time.Hour), by, "ticket.postpone", fields{"ticket": t})
		s.say(step(24*time.Hour), by, "ticket.resume", fields{"ticket": t})
	}
	s.say(step(6*time.Hour), by, "ticket.resolve", fields{"ticket": t})
	if s.dice.Float64() < 0.1 {
		s.say(step(24*time.Hour), "contact", "ticket.receive", fields{"ticket": t, "body": "It is not solved."})
		s.say(step(4*time.Hour), by, "ticket.reply", fields{"ticket": t, "body": "Now it should be."})
		s.say(step(2*time.Hour), by, "ticket.resolve", fields{"ticket": t})
	}
	if s.dice.Float64() < 0.7 {
		s.say(step(72*time.Hour), by, "ticket.close", fields{"ticket": t})
	}
}

// abroad are customers who write in other scripts.
var abroad = []fields{
	{"name": "Юлія Коваль", "country": "UA", "language": "uk"}, {"name": "山田 花子", "country": "JP", "language": "ja"},
	{"name": "محمد علي", "country": "EG", "language": "ar"}, {"name": "Łucja Żak", "country": "PL", "language": "pl"},
}

// sender returns who writes: always the same for one name. Some are customers of the shop, some have a telephone or live abroad, some
// write in a forum, and of some nothing is known but their browser.
func sender(given, family string) fields {
	n := slices.Index(givenNames, given)*len(familyNames) + slices.Index(familyNames, family)
	from := fields{"name": given + " " + family, "email": fmt.Sprintf("%s.%s@customers.example", lower(given), lower(family))}
	switch {
	case n%13 == 4:
		return fields{"visitor": fmt.Sprintf("browser-%d", n)}
	case n%17 == 5:
		return fields{"name": given + " " + family, "forum": fmt.Sprintf("member-%d", n)}
	case n%11 == 3:
		for field, value := range abroad[n%len(abroad)] {
			from[field] = value
		}
	case n%9 == 2:
		from["phone"] = fmt.Sprintf("+3902555%04d", n)
	}
	if n%7 == 0 {
		from["customer"] = fmt.Sprintf("C-%d", 1000+n)
	}
	return from
}

func lower(s string) string {
	text := []byte(s)
	for i, c := range text {
		switch {
		case c == ' ':
			text[i] = '-'
		case 'A' <= c && c <= 'Z':
			text[i] = c + 'a' - 'A'
		}
	}
	return string(text)
}
