package report

import (
	"context"
	"fmt"
	"sort"
	"time"

	"daybook/domain"
	"daybook/readmodels/table"
)

// Granularity is the length of a report's buckets.
type Granularity string

// The lengths of buckets. Weeks are ISO weeks.
const (
	ByHour  Granularity = "hour"
	ByDay   Granularity = "day"
	ByWeek  Granularity = "week"
	ByMonth Granularity = "month"
)

// Granularities lists the lengths of buckets, shortest first.
var Granularities = []Granularity{ByHour, ByDay, ByWeek, ByMonth}

// A Bucket is the part [Start, End) of a report's period. Its key names it in the report's time zone.
type Bucket struct {
	Key        string
	Start, End time.Time
}

// Buckets are the parts of a report's period, in order and without gaps.
type Buckets []Bucket

// longest is how many days a bucket of each length has at most.
var longest = map[Granularity]float64{ByHour: 1.0 / 23, ByDay: 1, ByWeek: 7, ByMonth: 31}

// MakeBuckets divides the local days [from, to) of a zone into at most most buckets. Both are dates, given as UTC midnights. A
// day begins at the first instant of its date, which is not 00:00 everywhere, and lasts 23, 24 or 25 hours. An hour that comes
// twice is two buckets, told apart by their offset. Weeks and months are cut at from and to.
func MakeBuckets(ctx context.Context, from, to time.Time, zone *time.Location, by Granularity, most int) (Buckets, error) {
	if !from.Before(to) {
		return nil, domain.Invalid("to", "period-empty", "to must be after from. The period starts with the day from and ends before the day to.")
	}
	tooLong := domain.Invalid("by", "period-too-long", "The period has more than %d buckets. Ask for a shorter one, or for longer buckets.", most)
	if days, known := longest[by]; known && to.Sub(from).Hours()/24 > days*float64(most+1) {
		return nil, tooLong
	}
	var buckets Buckets
	for day := from; day.Before(to); day = day.AddDate(0, 0, 1) {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		start, end := dayStart(day, zone), dayStart(day.AddDate(0, 0, 1), zone)
		if !start.Before(end) { // a date that was skipped
			continue
		}
		switch by {
		case ByHour:
			for start.Before(end) {
				next := hourEnd(start, end)
				buckets = append(buckets, Bucket{start.Format("2006-01-02T15:04Z07:00"), start, next})
				start = next
			}
		case ByDay:
			buckets.extend(day.Format("2006-01-02"), start, end)
		case ByWeek:
			year, week := day.ISOWeek()
			buckets.extend(fmt.Sprintf("%04d-W%02d", year, week), start, end)
		case ByMonth:
			buckets.extend(day.Format("2006-01"), start, end)
		default:
			return nil, domain.Invalid("by", "granularity-unknown", "by must be hour, day, week or month.")
		}
		if len(buckets) > most {
			return nil, tooLong
		}
	}
	return buckets, nil
}

// extend lengthens the last bucket if it has the key, or adds one.
func (b *Buckets) extend(key string, start, end time.Time) {
	if last := len(*b) - 1; last >= 0 && (*b)[last].Key == key {
		(*b)[last].End = end
		return
	}
	*b = append(*b, Bucket{key, start, end})
}

// Edges are the starts and ends of buckets.
type edges []struct{ start, end table.Instant }

func (b Buckets) edges() edges {
	all := make(edges, len(b))
	for i, bucket := range b {
		all[i].start, all[i].end = table.At(bucket.Start), table.At(bucket.End)
	}
	return all
}

// in reports whether an instant lies in a bucket.
func (e edges) in(bucket int, at table.Instant) bool {
	return e[bucket].start <= at && at < e[bucket].end
}

// of returns the number of the bucket that an instant lies in, or -1.
func (e edges) of(at table.Instant) int {
	i := sort.Search(len(e), func(i int) bool { return e[i].end > at })
	if i == len(e) || at < e[i].start {
		return -1
	}
	return i
}

// lastWithin returns the number of the last bucket that has a part of [start, end), or -1.
func (e edges) lastWithin(start, end table.Instant) int {
	last := -1
	e.clip(start, end, func(bucket int, _ int64) { last = bucket })
	return last
}

// clip calls f with the part of [start, end), in microseconds, that lies in each bucket.
func (e edges) clip(start, end table.Instant, f func(bucket int, micros int64)) {
	for i := sort.Search(len(e), func(i int) bool { return e[i].end > start }); i < len(e) && e[i].start < end; i++ {
		if from, to := max(start, e[i].start), min(end, e[i].end); from < to {
			f(i, int64(to-from))
		}
	}
}

// dayStart is the first instant of a date in a zone, or of the next date if that one was skipped.
func dayStart(date time.Time, zone *time.Location) time.Time {
	y, m, d := date.Date()
	guess := time.Date(y, m, d, 0, 0, 0, 0, zone)
	candidates := []time.Time{guess}
	for _, near := range []time.Time{guess.Add(-24 * time.Hour), guess.Add(24 * time.Hour)} {
		_, offset := near.Zone() // midnight by the offset before and after any change of the clocks
		candidates = append(candidates, time.Date(y, m, d, 0, 0, 0, 0, time.FixedZone("", offset)).In(zone))
		start, end := near.ZoneBounds()
		candidates = append(candidates, start.In(zone), end.In(zone))
	}
	want := date.Format("2006-01-02")
	var first time.Time
	for _, c := range candidates {
		if !c.IsZero() && c.Format("2006-01-02") >= want && c.Add(-1).Format("2006-01-02") < want && (first.IsZero() || c.Before(first)) {
			first = c
		}
	}
	return first
}

// hourEnd is where the local hour of an instant ends: at the next full hour, or where the clocks change, or with the day.
func hourEnd(t, day time.Time) time.Time {
	into := time.Duration(t.Minute())*time.Minute + time.Duration(t.Second())*time.Second + time.Duration(t.Nanosecond())
	end := earlier(t.Add(time.Hour-into), day)
	_, change := t.ZoneBounds()
	_, before := t.Zone()
	if _, after := change.In(t.Location()).Zone(); change.After(t) && after != before { // at the end of a year, Go may name a bound that is none
		end = earlier(end, change.In(t.Location()))
	}
	return end
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}
