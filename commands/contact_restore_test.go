package commands_test

import (
	"testing"

	"daybook/commands"
	"daybook/commands/work"
	"daybook/domain/contact"
	"daybook/domain/profile"
	"daybook/internal/testlog"
)

// TestRestoreContact restores a contact of whose addresses another contact has one by now.
func TestRestoreContact(t *testing.T) {
	t.Parallel()
	d := testlog.Desk(testlog.Memory(t))
	nora, ben := id("nora"), id("ben")
	of := must[contact.Contact](t)
	register := func(name string, emails ...string) {
		of(work.Do(t.Context(), d, contact.Stream, id(name), commands.RegisterContact{Input: profile.Input{Name: &name}, Emails: emails}, asks("register "+name)))
	}
	register("nora", "nora@customers.example", "shared@customers.example")
	of(work.Do(t.Context(), d, contact.Stream, nora, commands.DeleteContact{}, asks("delete")))
	register("ben", "shared@customers.example")

	restored := of(work.Carry(t.Context(), d, work.Plan[contact.Contact](commands.RestoreContact{}), nora, asks("restore")))
	shared := address(contact.Email, "shared@customers.example")
	if restored.State.Deleted || len(restored.State.Addresses) != 1 || restored.State.Has(shared) {
		t.Errorf("restored with %v", restored.State.Addresses)
	}
	if e := restored.Written[0].Event.(contact.Restored); len(e.Lost) != 1 || !e.Lost[0].Is(shared) {
		t.Errorf("lost %v", e.Lost)
	}
	for holder, a := range map[string]contact.Address{"nora": address(contact.Email, "nora@customers.example"), "ben": shared} {
		if found, ok, err := work.Find(t.Context(), d, a.Hold()); err != nil || !ok || found != id(holder) {
			t.Errorf("%s does not hold the address: %v, %v", holder, found, err)
		}
	}
	if again := of(work.Carry(t.Context(), d, work.Plan[contact.Contact](commands.RestoreContact{}), ben, asks("restore ben"))); again.Changed {
		t.Error("a contact was restored who is not deleted")
	}
	_, err := work.Carry(t.Context(), d, work.Plan[contact.Contact](commands.RestoreContact{}), id("nobody"), asks("restore nobody"))
	refused(t, err, "contact-unknown")
}
