package table

import (
	"cmp"
	"context"
	"database/sql/driver"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"
	"pgregory.net/rapid"
)

// A letter is a row that can be sought in every way.
type letter struct {
	ID       uuid.UUID       `db:"letter_id,key"`
	Box      Ref             `db:"box_id"`
	Colour   colour          `db:"colour"`
	Title    string          `db:"title"`
	TitleKey string          `db:"title_key"`
	Search   string          `db:"search"`
	Texts    List[string]    `db:"texts"`
	Tags     List[uuid.UUID] `db:"tags"`
	SentAt   Instant         `db:"sent_at"`
	ReadAt   Instant         `db:"read_at"`
	First    Position        `db:"first_position"`
}

type letterWord struct {
	Word   string   `db:"word,key"`
	SentAt Instant  `db:"sent_at,key"`
	Number Position `db:"number,key"`
}

type letterTag struct {
	Tag    uuid.UUID `db:"tag_id,key"`
	SentAt Instant   `db:"sent_at,key"`
	Number Position  `db:"number,key"`
}

type box struct {
	ID    uuid.UUID `db:"box_id,key"`
	Owner Ref       `db:"owner_id"`
}

type letterCopy struct {
	Position Position  `db:"position,key"`
	Box      uuid.UUID `db:"box_id"`
	Letter   uuid.UUID `db:"letter_id"`
}

var (
	lettersTable = Table{Name: "letters", Row: letter{}, At: "sent_at", Indexes: []string{
		"sent_at, first_position, letter_id, box_id, colour", "read_at, first_position", "title_key, first_position", "box_id, sent_at, first_position", "colour, sent_at, first_position", "box_id, letter_id",
	}}
	letterWordsTable  = Table{Name: "letter_words", Row: letterWord{}}
	letterTagsTable   = Table{Name: "letter_tags", Row: letterTag{}}
	boxesTable        = Table{Name: "boxes", Row: box{}, Indexes: []string{"owner_id, box_id"}}
	letterCopiesTable = Table{Name: "letter_copies", Row: letterCopy{}, Indexes: []string{"box_id"}}
)

// A post is a database with letters.
type post struct {
	db      *DB
	letters []letter
	boxes   []box
	copies  []letterCopy
}

func numberedID(kind string, n int) uuid.UUID {
	return uuid.NewSHA1(uuid.Nil, []byte(fmt.Sprint(kind, n)))
}

func newPost(t *testing.T, home Home) *post {
	t.Helper()
	p := &post{}
	random := rand.New(rand.NewPCG(1, 2))
	for n := range 3 {
		p.boxes = append(p.boxes, box{numberedID("box", n), Ref(numberedID("owner", n))})
	}
	p.boxes[2].Owner = Ref{}
	var words []letterWord
	var tags []letterTag
	for n := range 60 {
		l := letter{
			ID: numberedID("letter", n), Colour: colour([]string{"red", "blue", "grey"}[random.IntN(3)]), Title: string(rune('a' + random.IntN(3))),
			SentAt: Instant(1 + random.IntN(20)), ReadAt: Instant(random.IntN(4)), First: Position(100 - n),
		}
		if b := random.IntN(4); b < 3 {
			l.Box = Ref(p.boxes[b].ID)
		}
		l.TitleKey = string(rune('z' - l.Title[0] + 'a'))
		for _, word := range []string{"an", "ann", "anna_", "b%", "ö"} {
			if random.IntN(3) == 0 {
				l.Search += " " + word
				l.Texts = append(l.Texts, word+`"'`)
				words = append(words, letterWord{word, l.SentAt, l.First})
			}
		}
		for tag := range 3 {
			if random.IntN(3) == 0 {
				l.Tags = append(l.Tags, numberedID("tag", tag))
				tags = append(tags, letterTag{numberedID("tag", tag), l.SentAt, l.First})
			}
		}
		if random.IntN(4) == 0 {
			p.copies = append(p.copies, letterCopy{Position(n + 1), p.boxes[random.IntN(3)].ID, l.ID})
		}
		p.letters = append(p.letters, l)
	}
	var all []*Relation
	var puts []func(Tx) error
	all, puts = filled(t, all, puts, lettersTable, p.letters)
	all, puts = filled(t, all, puts, letterWordsTable, words)
	all, puts = filled(t, all, puts, letterTagsTable, tags)
	all, puts = filled(t, all, puts, boxesTable, p.boxes)
	all, puts = filled(t, all, puts, letterCopiesTable, p.copies)
	p.db = laid(t, home, all...)
	err := p.db.Write(t.Context(), func(tx Tx) error {
		for _, put := range puts {
			if err := put(tx); err != nil {
				return err
			}
		}
		return nil
	})
	if err == nil {
		err = p.db.BuildIndexes(t.Context(), all)
	}
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// filled adds a table, and what puts rows into it.
func filled[R any](t *testing.T, all []*Relation, puts []func(Tx) error, of Table, rows []R) ([]*Relation, []func(Tx) error) {
	t.Helper()
	r, err := Relate(of)
	if err != nil {
		t.Fatal(err)
	}
	return append(all, r), append(puts, func(tx Tx) error {
		return tx.Put(r, func(yield func([]driver.Value) bool) {
			for i := range rows {
				values := make([]driver.Value, len(r.Columns))
				if err := r.Encode(reflect.ValueOf(&rows[i]).Elem(), values); err != nil {
					t.Error(err)
				}
				if !yield(values) {
					return
				}
			}
		})
	})
}

// asked draws a question and what it means.
func (p *post) asked(t *rapid.T) (*Question, func(letter) bool) {
	ask := Ask(lettersTable)
	var tests []func(letter) bool
	yes := func(what string) bool { return rapid.IntRange(0, 3).Draw(t, what) == 0 }
	aBox := func() uuid.UUID { return p.boxes[rapid.IntRange(0, 2).Draw(t, "which box")].ID }
	if yes("of a box") {
		b := aBox()
		copied := yes("or copied")
		if copied {
			ask.Of("box_id", b, &letterCopiesTable)
		} else {
			ask.Of("box_id", b, nil)
		}
		tests = append(tests, func(l letter) bool {
			return l.Box == Ref(b) || copied && slices.ContainsFunc(p.copies, func(c letterCopy) bool { return c.Box == b && c.Letter == l.ID })
		})
	}
	if yes("in a box") {
		var b Ref
		if !yes("in none") {
			b = Ref(aBox())
		}
		ask.Refers("box_id", &b)
		tests = append(tests, func(l letter) bool { return l.Box == b })
	}
	if yes("in one of these boxes, or none") {
		some := []uuid.UUID{aBox(), aBox()}
		ask.AmongIDs("box_id", some)
		tests = append(tests, func(l letter) bool { return l.Box == Ref{} || slices.Contains(some, uuid.UUID(l.Box)) })
	}
	if yes("of an owner") {
		owner := p.boxes[rapid.IntRange(0, 2).Draw(t, "owner")].Owner
		ask.Through("box_id", boxesTable, "owner_id", &owner)
		tests = append(tests, func(l letter) bool {
			return slices.ContainsFunc(p.boxes, func(b box) bool { return Ref(b.ID) == l.Box && b.Owner == owner })
		})
	}
	if yes("in a box of these owners, or none") {
		some := []uuid.UUID{numberedID("owner", rapid.IntRange(0, 2).Draw(t, "owner"))}
		ask.AmongIDsOf("box_id", boxesTable, "owner_id", some)
		tests = append(tests, func(l letter) bool {
			return l.Box == Ref{} || slices.ContainsFunc(p.boxes, func(b box) bool { return Ref(b.ID) == l.Box && (b.Owner == Ref{} || b.Owner == Ref(some[0])) })
		})
	}
	if yes("coloured") {
		some := rapid.SliceOfN(rapid.SampledFrom([]colour{"red", "blue", "grey", "gold"}), 1, 2).Draw(t, "colours")
		AnyOf(ask, "colour", some)
		tests = append(tests, func(l letter) bool { return slices.Contains(some, l.Colour) })
	}
	for range rapid.IntRange(0, 2).Draw(t, "words") {
		word := rapid.SampledFrom([]string{"a", "an", "ann", "anna_", "b%", "b", "ö", "nobody"}).Draw(t, "word")
		ask.Words("search", &letterWordsTable, []string{word})
		tests = append(tests, func(l letter) bool { return strings.Contains(l.Search, " "+word) })
	}
	if yes("with a text") {
		word := rapid.SampledFrom([]string{"an", "anna_", "ö"}).Draw(t, "text")
		ask.Word("texts", letterWordsTable, func(text string) []string { return []string{word} }, word+`"'`)
		tests = append(tests, func(l letter) bool { return slices.Contains(l.Texts, word+`"'`) })
	}
	some := func(what string) (ids []uuid.UUID) {
		for _, n := range rapid.SliceOfNDistinct(rapid.IntRange(0, 3), 1, 2, rapid.ID).Draw(t, what) {
			ids = append(ids, numberedID("tag", n))
		}
		return ids
	}
	has := func(l letter, ids []uuid.UUID) bool {
		return slices.ContainsFunc(ids, func(id uuid.UUID) bool { return slices.Contains(l.Tags, id) })
	}
	for range rapid.IntRange(0, 2).Draw(t, "tags") {
		ids := some("some of")
		ask.Linked(letterTagsTable, ids)
		tests = append(tests, func(l letter) bool { return has(l, ids) })
	}
	if yes("not tagged") {
		ids := some("none of")
		ask.NotLinked(letterTagsTable, ids)
		tests = append(tests, func(l letter) bool { return !has(l, ids) })
	}
	if yes("without tags") {
		ask.Lists("tags", &Ref{})
		tests = append(tests, func(l letter) bool { return len(l.Tags) == 0 })
	}
	for _, column := range []string{"sent_at", "read_at"} {
		of := func(l letter) Instant { return l.SentAt }
		if column == "read_at" {
			of = func(l letter) Instant { return l.ReadAt }
		}
		if yes("during " + column) {
			from, to := Instant(rapid.IntRange(0, 10).Draw(t, "from")), Instant(rapid.IntRange(0, 20).Draw(t, "to"))
			ask.During(column, from, to)
			tests = append(tests, func(l letter) bool {
				at := of(l)
				return (from == 0 || at != 0 && at >= from) && (to == 0 || at != 0 && at < to)
			})
		}
	}
	return ask, func(l letter) bool {
		return !slices.ContainsFunc(tests, func(test func(letter) bool) bool { return !test(l) })
	}
}

// Whatever is asked, however it is sorted and divided into pages, and whichever list leads, the pages together have the rows that a look
// at each finds, in order. No page that is not full ends the list before its end.
func TestFind(t *testing.T) { everywhere(t, find) }

func find(t *testing.T, home Home) {
	p := newPost(t, home)
	defer func(most, few int) { mostEntries, fewEntries = most, few }(mostEntries, fewEntries)
	led := map[string]int{}
	rapid.Check(t, func(t *rapid.T) {
		mostEntries = rapid.SampledFrom([]int{3, 10, 100}).Draw(t, "most entries")
		fewEntries = min(mostEntries, rapid.SampledFrom([]int{2, 8, 100}).Draw(t, "few entries"))
		ask, meets := p.asked(t)
		sort := rapid.SampledFrom([]string{"", "sent_at", "-sent_at", "-title", "title"}).Draw(t, "sort")
		want := slices.DeleteFunc(slices.Clone(p.letters), func(l letter) bool { return !meets(l) })
		slices.SortFunc(want, func(a, b letter) int {
			order := cmp.Compare(a.SentAt, b.SentAt)
			if strings.HasSuffix(sort, "title") {
				order = cmp.Compare(a.TitleKey, b.TitleKey)
			}
			if order = cmp.Or(order, cmp.Compare(a.First, b.First)); strings.HasPrefix(sort, "-") || sort == "" {
				return -order
			}
			return order
		})
		o, err := ask.order(Page{Sort: sort}, []string{"-sent_at", "title"})
		if err != nil {
			t.Fatal(err)
		}
		switch lead, err := ask.lead(context.Background(), p.db.Readers, o); {
		case err != nil:
			t.Fatal(err)
		case lead == nil:
			led["all rows"]++
		default:
			led[fmt.Sprintf("links %t, in order %t", lead.links != "", ask.inOrder(lead, o))]++
		}
		var got []letter
		for page := (Page{Limit: rapid.IntRange(1, 30).Draw(t, "limit"), Sort: sort}); ; {
			found, err := Find[letter](context.Background(), p.db.Readers, ask, page, "-sent_at", "title")
			if err != nil {
				t.Fatal(err)
			}
			if got = append(got, found.Rows...); len(found.Rows) > page.Limit || found.Next == page.Cursor && page.Cursor != "" {
				t.Fatalf("a page of %d rows, and goes on at %q", len(found.Rows), found.Next)
			}
			if page.Cursor = found.Next; page.Cursor == "" {
				break
			}
		}
		ids := func(all []letter) (ids []Position) {
			for _, l := range all {
				ids = append(ids, l.First)
			}
			return ids
		}
		if !slices.Equal(ids(got), ids(want)) {
			t.Fatalf("it finds\n%v\nnot\n%v", ids(got), ids(want))
		}
	})
	for _, way := range []string{"all rows", "links true, in order true", "links true, in order false", "links false, in order true", "links false, in order false"} {
		if led[way] == 0 {
			t.Errorf("nothing was found by %s: %v", way, led)
		}
	}
}
