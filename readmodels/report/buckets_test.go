package report

import (
	"context"
	"errors"
	"testing"
	"time"

	"daybook/readmodels/table"

	"pgregory.net/rapid"

	"daybook/domain"
	"daybook/domain/zone"
)

// zones have all kinds of clock changes: none, by an hour, by half an hour, at midnight, and over a whole day.
var zones = []string{
	"UTC", "Europe/Rome", "Europe/London", "America/New_York", "America/Sao_Paulo", "Africa/Cairo", "Asia/Beirut", "Australia/Lord_Howe",
	"Pacific/Apia", "Asia/Kathmandu", "America/St_Johns", "Africa/Casablanca", "Asia/Tehran", "America/Havana", "Asia/Gaza",
}

func location(t interface{ Fatal(...any) }, name string) *time.Location {
	at, err := zone.Load(name)
	if err != nil {
		t.Fatal(err)
	}
	return at
}

// TestDayBeginsAtItsFirstInstant looks for the first instant of a date minute by minute.
func TestDayBeginsAtItsFirstInstant(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		zone := location(t, rapid.SampledFrom(zones).Draw(t, "zone"))
		date := time.Date(2009, 1, 1, 0, 0, 0, 0, time.UTC).AddDate(0, 0, rapid.IntRange(0, 15*365).Draw(t, "day"))
		want := date.Format(time.DateOnly)
		first := date.Add(-30 * time.Hour)
		for first.In(zone).Format(time.DateOnly) < want {
			first = first.Add(time.Minute)
		}
		if got := dayStart(date, zone); !got.Equal(first) {
			t.Fatalf("%s in %s begins at %s, not at %s", want, zone, first.In(zone), got)
		}
	})
}

// TestBucketsCoverThePeriod: without gaps, in order, each with a key of its own, and every instant is in one.
func TestBucketsCoverThePeriod(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		zone := location(t, rapid.SampledFrom(zones).Draw(t, "zone"))
		from := time.Date(2009, 1, 1, 0, 0, 0, 0, time.UTC).AddDate(0, 0, rapid.IntRange(0, 15*365).Draw(t, "from"))
		to := from.AddDate(0, 0, rapid.IntRange(1, 60).Draw(t, "days"))
		by := rapid.SampledFrom([]Granularity{ByHour, ByDay, ByWeek, ByMonth}).Draw(t, "by")
		buckets, err := MakeBuckets(t.Context(), from, to, zone, by, 2000)
		if err != nil {
			t.Fatal(err)
		}
		if len(buckets) == 0 { // a date that was skipped
			return
		}
		keys, edges := make(map[string]bool), buckets.edges()
		for i, b := range buckets {
			if !b.Start.Before(b.End) || i > 0 && !b.Start.Equal(buckets[i-1].End) {
				t.Fatalf("%s does not follow on %s", b.Key, buckets[max(i-1, 0)].Key)
			}
			if keys[b.Key] {
				t.Fatalf("two buckets are %s", b.Key)
			}
			keys[b.Key] = true
			if edges.of(table.At(b.Start)) != i || edges.of(table.At(b.End)-1) != i || !edges.in(i, table.At(b.Start)) || edges.in(i, table.At(b.End)) {
				t.Fatalf("%s does not hold its own edges", b.Key)
			}
		}
		start, end := dayStart(from, zone), dayStart(to, zone)
		if !buckets[0].Start.Equal(start) || !buckets[len(buckets)-1].End.Equal(end) {
			t.Fatalf("the period is cut short")
		}
		if edges.of(table.At(start)-1) != -1 || edges.of(table.At(end)) != -1 {
			t.Fatal("what is outside has a bucket")
		}
		var micros int64
		edges.clip(table.At(start.Add(-time.Hour)), table.At(end.Add(time.Hour)), func(_ int, part int64) { micros += part })
		if total := time.Duration(micros) * time.Microsecond; total != end.Sub(start) {
			t.Fatalf("the parts make %s of %s", total, end.Sub(start))
		}
	})
}

// TestHoursAtTheEndOfAYear: the hours of New Year's Eve end, and none is cut where nothing changes.
func TestHoursAtTheEndOfAYear(t *testing.T) {
	for _, name := range zones {
		for year := 1971; year < 2100; year++ {
			eve := time.Date(year, 12, 31, 0, 0, 0, 0, time.UTC)
			buckets, err := MakeBuckets(t.Context(), eve, eve.AddDate(0, 0, 2), location(t, name), ByHour, 100)
			if err != nil {
				t.Fatalf("%s in %d: %v", name, year, err)
			}
			_, before := buckets[0].Start.Zone()
			_, after := buckets[len(buckets)-1].End.Zone()
			if before == after && len(buckets) != 48 {
				t.Errorf("%s in %d: %d hours", name, year, len(buckets))
			}
		}
	}
}

func TestClocksThatChange(t *testing.T) {
	for _, c := range []struct {
		zone, day string
		hours     int
	}{
		{"Europe/Rome", "2026-03-29", 23}, {"Europe/Rome", "2026-10-25", 25}, {"Europe/Rome", "2026-06-01", 24},
		{"Australia/Lord_Howe", "2026-04-05", 25}, // the half hour that comes twice is a row of its own
		{"America/Sao_Paulo", "2018-11-04", 23},   // there was no midnight
	} {
		day, err := time.Parse(time.DateOnly, c.day)
		if err != nil {
			t.Fatal(err)
		}
		buckets, err := MakeBuckets(t.Context(), day, day.AddDate(0, 0, 1), location(t, c.zone), ByHour, 100)
		if err != nil {
			t.Fatal(err)
		}
		if len(buckets) != c.hours {
			t.Errorf("%s in %s has %d rows, not %d", c.day, c.zone, len(buckets), c.hours)
		}
	}
}

// TestBucketsEndWithTheirRequest: a long period is not divided for a client who has gone away, and not if it has too many. Case
// 3.9.
func TestBucketsEndWithTheirRequest(t *testing.T) {
	gone, leave := context.WithCancel(t.Context())
	leave()
	from, to := time.Date(1900, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(2200, 1, 1, 0, 0, 0, 0, time.UTC)
	if _, err := MakeBuckets(gone, from, to, time.UTC, ByMonth, 10_000); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	for by, most := range map[Granularity]int{ByHour: 2_629_000, ByDay: 109_500, ByWeek: 15_600, ByMonth: 3599} {
		var no *domain.Error
		if _, err := MakeBuckets(t.Context(), from, to, time.UTC, by, most); !errors.As(err, &no) || no.Code != "period-too-long" {
			t.Errorf("%s: %v", by, err)
		}
	}
	if buckets, err := MakeBuckets(t.Context(), from, to, time.UTC, ByMonth, 3600); len(buckets) != 3600 || err != nil {
		t.Errorf("%d buckets, %v", len(buckets), err)
	}
}

func TestSampleIsByNearestRank(t *testing.T) {
	const second = 1_000_000
	var took, gone []int64
	for _, s := range []int64{5, 1, 4, 2, 3, 6, 7, 2, 8, 9, 10, 11, 2} {
		took = append(took, s*second)
	}
	for _, s := range []int64{11, 2, 2} {
		gone = append(gone, s*second)
	}
	s := sampleOf(net(took, gone)).inSeconds()
	if s.N != 10 || *s.Sum != 55 || *s.Avg != 5.5 || *s.P50 != 5 || *s.P90 != 9 {
		t.Errorf("%d %v %v %v %v", s.N, *s.Sum, *s.Avg, *s.P50, *s.P90)
	}
	if empty := sampleOf(nil).inSeconds(); empty.N != 0 || empty.Sum != nil || empty.Avg != nil || empty.P50 != nil || empty.P90 != nil {
		t.Error("nothing has figures")
	}
}
