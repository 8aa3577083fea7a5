package personal_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"

	"daybook/domain/personal"
	"daybook/domain/personal/personaltest"
)

type address struct {
	Street personal.Text `json:"street"`
}

type person struct {
	address
	Name    personal.Text   `json:"name"`
	Nick    *personal.Text  `json:"nick"`
	Mails   []personal.Text `json:"mails"`
	Homes   []Home          `json:"homes"`
	Country string          `json:"country"`
}

// Home is a struct in a list.
type Home struct {
	City personal.Text `json:"city"`
}

var (
	nick = personal.New("Evie")
	eve  = person{
		Name: personal.New("Eve"), Nick: &nick, Mails: []personal.Text{personal.New("a@x"), {}},
		Homes: []Home{{personal.New("Rome")}}, Country: "IT",
	}
)

func place() personal.Place {
	return personal.Place{Stream: "contact-1", Type: "contact-registered", Event: uuid.New(), Part: personal.Data}
}

func TestSealedAndOpenedIsTheSame(t *testing.T) {
	keys, subject, at := &personaltest.Keys{}, uuid.New(), place()
	closed, err := personal.Seal(eve, keys, subject, at)
	if err != nil {
		t.Fatal(err)
	}
	if eve.Name.String() != "Eve" || eve.Nick.String() != "Evie" || eve.Mails[0].String() != "a@x" || eve.Homes[0].City.String() != "Rome" {
		t.Fatal("sealing changed what was given")
	}
	data, err := json.Marshal(closed)
	if err != nil {
		t.Fatal(err)
	}
	for _, secret := range []string{"Eve", "Evie", "a@x", "Rome"} {
		if strings.Contains(string(data), secret) {
			t.Errorf("%s can be read in %s", secret, data)
		}
	}
	var back person
	if err := json.Unmarshal(data, &back); err != nil {
		t.Fatal(err)
	}
	if err := personal.Open(&back, keys, at); err != nil {
		t.Fatal(err)
	}
	if back.Name != eve.Name || *back.Nick != nick || back.Mails[0] != eve.Mails[0] || !back.Mails[1].Empty() || back.Homes[0] != eve.Homes[0] || back.Country != "IT" {
		t.Errorf("%+v came back", back)
	}
}

func TestSubjects(t *testing.T) {
	keys, eves, ben := &personaltest.Keys{}, uuid.New(), uuid.New()
	var all []byte
	for _, subject := range []uuid.UUID{eves, ben} {
		closed, err := personal.Seal(person{Name: personal.New("Eve"), Country: "$1$"}, keys, subject, place())
		if err != nil {
			t.Fatal(err)
		}
		data, err := json.Marshal(closed)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, data...)
	}
	if of := personal.Subjects(all); !slices.Contains(of, eves) || !slices.Contains(of, ben) {
		t.Errorf("%v, want %v and %v", of, eves, ben)
	}
	if of := personal.Subjects([]byte(`{"name":"$1$"}`)); len(of) > 0 {
		t.Errorf("nobody's text is under the keys of %v", of)
	}
}

func TestForgottenIsErased(t *testing.T) {
	keys, subject, at := &personaltest.Keys{}, uuid.New(), place()
	closed, err := personal.Seal(eve, keys, subject, at)
	if err != nil {
		t.Fatal(err)
	}
	keys.Forget(subject)
	if err := personal.Open(&closed, keys, at); err != nil {
		t.Fatal(err)
	}
	if closed.Name.String() != personal.Erased || closed.Country != "IT" {
		t.Errorf("%+v is left of a person who was forgotten", closed)
	}
	if _, err := personal.Seal(eve, keys, subject, at); err == nil {
		t.Error("a person who was forgotten can be written about")
	}
}

func TestMovedTextDoesNotOpen(t *testing.T) {
	keys, subject, at := &personaltest.Keys{}, uuid.New(), place()
	closed, err := personal.Seal(eve, keys, subject, at)
	if err != nil {
		t.Fatal(err)
	}
	for name, move := range map[string]func(*personal.Place){
		"stream": func(p *personal.Place) { p.Stream = "contact-2" },
		"type":   func(p *personal.Place) { p.Type = "contact-edited" },
		"event":  func(p *personal.Place) { p.Event = uuid.New() },
		"part":   func(p *personal.Place) { p.Part = personal.Metadata },
	} {
		elsewhere, to := closed, at
		move(&to)
		if err := personal.Open(&elsewhere, keys, to); err == nil {
			t.Errorf("it opens in another %s", name)
		}
	}
	two := person{Mails: []personal.Text{personal.New("a@x"), personal.New("b@x")}}
	if two, err = personal.Seal(two, keys, subject, at); err != nil {
		t.Fatal(err)
	}
	two.Mails[0], two.Mails[1] = two.Mails[1], two.Mails[0]
	if err := personal.Open(&two, keys, at); err == nil {
		t.Error("it opens at another place of its list")
	}
	swapped := person{Name: closed.Homes[0].City}
	if err := personal.Open(&swapped, keys, at); err == nil {
		t.Error("it opens in another field")
	}
}

func TestUnsealedIsNotStored(t *testing.T) {
	if _, err := json.Marshal(eve); err == nil {
		t.Error("plain text was stored")
	}
	var back person
	if err := json.Unmarshal([]byte(`{"name":"Eve"}`), &back); err == nil {
		t.Error("plain text was read from the log")
	}
}

// FuzzOpen opens arbitrary stored texts. It must not panic.
func FuzzOpen(f *testing.F) {
	f.Add(`{"name":"$1$AAAA"}`)
	f.Add(`{"name":"$1$` + strings.Repeat("A", 80) + `","mails":["$1$"],"homes":[{"city":""}]}`)
	f.Fuzz(func(t *testing.T, data string) {
		var p person
		if json.Unmarshal([]byte(data), &p) == nil {
			_ = personal.Open(&p, &personaltest.Keys{}, place())
		}
	})
}
