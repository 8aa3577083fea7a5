package commands_test

import (
	"fmt"
	"testing"

	"github.com/google/uuid"

	"daybook/commands"
	"daybook/commands/work"
	"daybook/domain/agent"
	"daybook/domain/company"
	"daybook/domain/contact"
	"daybook/domain/department"
	"daybook/domain/desk"
	"daybook/domain/event"
	"daybook/domain/field"
	"daybook/domain/group"
	"daybook/domain/key"
	"daybook/domain/personal"
	"daybook/domain/personal/personaltest"
	"daybook/domain/role"
	"daybook/domain/tag"
	"daybook/internal/scenario"
)

var annIs = agent.Created{Name: scenario.Text("Ann"), Email: login("ann@desk.example"), Role: role.Agent}

func login(email string) personal.Hashed { return agent.Login(personaltest.Names{}, email) }

func device(name string) personal.Hashed { return agent.Device(personaltest.Names{}, uuid.Nil, name) }

func TestCreateAgent(t *testing.T) {
	on := scenario.On(t, agent.Stream)
	on.When(commands.CreateAgent{Name: "Ann", Email: "Ann@desk.example", Role: role.Agent}).Then(annIs)
	on.Given(annIs).When(commands.CreateAgent{Name: "Ann", Email: "ann@desk.example", Role: role.Agent}).ThenRefused("agent-exists")
	on.When(commands.CreateAgent{Email: "ann@desk.example", Role: role.Agent}).ThenRefused("name-required")
	on.When(commands.CreateAgent{Name: "Ann", Role: role.Agent}).ThenRefused("email-malformed")
	on.When(commands.CreateAgent{Name: "Ann", Email: "ann@desk.example"}).ThenRefused("role-unknown")
	on.When(commands.CreateAgent{Name: "Ann", Email: "ann@desk.example", Role: role.Auditor}).ThenRefused("role-unknown")
	on.When(commands.CreateAgent{}).ThenRefused("invalid")
	on.By(commands.By{Allowed: role.Admin.Permissions()}).When(commands.CreateAgent{Name: "Ann", Email: "ann@desk.example", Role: role.Owner}).ThenRefused("permission-missing")
}

func TestEditAgent(t *testing.T) {
	on := scenario.On(t, agent.Stream).Given(annIs)
	admin, anna := role.Admin, login("anna@desk.example")
	on.When(commands.EditAgent{Name: text("Anna"), Alias: text("A."), Email: text("anna@desk.example"), Role: &admin}).
		Then(agent.Edited{Name: personalText("Anna"), Alias: personalText("A."), Email: &anna, Role: &admin})
	on.When(commands.EditAgent{Name: text("Ann"), Email: text("ANN@desk.example")}).ThenNothing()
	on.When(commands.EditAgent{Name: text("")}).ThenRefused("name-required")
	on.When(commands.EditAgent{Email: text("ann")}).ThenRefused("email-malformed")
	owner, nobody := role.Owner, role.Role("king")
	on.When(commands.EditAgent{Role: &nobody}).ThenRefused("role-unknown")
	on.By(commands.By{Allowed: role.Admin.Permissions()}).When(commands.EditAgent{Role: &owner}).ThenRefused("permission-missing")
	boss := annIs
	boss.Role = role.Owner
	scenario.On(t, agent.Stream).Given(boss).By(commands.By{Allowed: role.Admin.Permissions()}).When(commands.EditAgent{Name: text("Anna")}).ThenRefused("permission-missing")
	scenario.On(t, agent.Stream).Given(boss).By(commands.By{Allowed: role.Admin.Permissions()}).When(commands.DeleteAgent{}).ThenRefused("permission-missing")
	scenario.On(t, agent.Stream).When(commands.EditAgent{}).ThenRefused("agent-unknown")
}

func TestDeletedAgentIsSignedOut(t *testing.T) {
	on := scenario.On(t, agent.Stream).Given(annIs, agent.SignedIn{Device: device("panel")})
	after := on.When(commands.DeleteAgent{}).Then(agent.Deleted{})
	if after.Working() || len(agent.Stream.Noun().Holds(after)) > 0 {
		t.Error("a deleted agent still works, or holds the login")
	}
	on.Given(agent.Deleted{}).When(commands.DeleteAgent{}).ThenNothing()
	on.Given(agent.Deleted{}, agent.ClaimLapsed{}).When(commands.SignIn{}).ThenRefused("agent-deleted")
	scenario.On(t, agent.Stream).When(commands.DeleteAgent{}).ThenRefused("agent-unknown")
}

func TestAgentInDepartments(t *testing.T) {
	yes, off := new(bool), new(bool)
	*yes = true
	on := scenario.On(t, agent.Stream).Given(annIs)
	on.When(commands.JoinDepartment{Department: sales}).Then(agent.JoinedDepartment{Department: sales})
	on.When(commands.LeaveDepartment{Department: sales}).ThenNothing()
	on.When(commands.SwitchServices{Department: sales, Chats: off}).ThenRefused("not-in-department")
	serves := on.Given(agent.JoinedDepartment{Department: sales})
	serves.When(commands.JoinDepartment{Department: sales}).ThenNothing()
	serves.When(commands.SwitchServices{Department: sales, Chats: yes}).ThenNothing()
	serves.When(commands.SwitchServices{Department: sales}).ThenNothing()
	after := serves.When(commands.SwitchServices{Department: sales, Tickets: off, Chats: yes, Calls: off}).
		Then(agent.Switched{Department: sales, Service: agent.Tickets}, agent.Switched{Department: sales, Service: agent.Calls})
	if after.Departments[sales] != (agent.Services{Chats: true}) {
		t.Errorf("%+v", after.Departments[sales])
	}
	left := serves.When(commands.LeaveDepartment{Department: sales}).Then(agent.LeftDepartment{Department: sales})
	if left.In(sales) {
		t.Error("the agent is still in the department")
	}
	for _, command := range []work.Command[agent.Agent, agent.Event]{
		commands.JoinDepartment{Department: sales}, commands.LeaveDepartment{Department: sales}, commands.SwitchServices{Department: sales, Calls: off},
		commands.SignIn{}, commands.SignOut{}, commands.Pause{}, commands.Unpause{},
	} {
		scenario.On(t, agent.Stream).When(command).ThenRefused("agent-unknown")
	}
}

// TestAgentStatus: agents sign in and out, and take breaks. Case 5.8.
func TestAgentStatus(t *testing.T) {
	on := scenario.On(t, agent.Stream).Given(annIs)
	on.When(commands.SignIn{}).Then(agent.SignedIn{Device: device("panel")})
	on.When(commands.SignIn{Device: "android"}).Then(agent.SignedIn{Device: device("android")})
	on.When(commands.SignOut{}).ThenNothing()
	here := on.Given(agent.SignedIn{Device: device("panel")})
	here.When(commands.SignIn{}).ThenNothing()
	here.When(commands.SignOut{}).Then(agent.SignedOut{Device: device("panel")})
	if !here.When(commands.SignIn{Device: "ios"}).Then(agent.SignedIn{Device: device("ios")}).Working() {
		t.Error("signed in and not working")
	}
	here.When(commands.Unpause{}).ThenNothing()
	paused := here.When(commands.Pause{}).Then(agent.Paused{})
	if paused.Working() {
		t.Error("paused and working")
	}
	here.Given(agent.Paused{}).When(commands.Pause{}).ThenNothing()
	here.Given(agent.Paused{}).When(commands.Unpause{}).Then(agent.Unpaused{})

	// A break ends with the last session, and begins only in one.
	two := here.Given(agent.Paused{}, agent.SignedIn{Device: device("ios")}).When(commands.SignOut{}).Then(agent.SignedOut{Device: device("panel")})
	gone := here.Given(agent.Paused{}).When(commands.SignOut{}).Then(agent.SignedOut{Device: device("panel")})
	if !two.Paused || gone.Paused {
		t.Errorf("after one of two sessions paused: %v; after the last one: %v", two.Paused, gone.Paused)
	}
	on.When(commands.Pause{}).ThenRefused("agent-signed-out")
	happened := on.By(commands.By{History: true}).When(commands.Pause{}).Then(agent.Paused{})
	if happened.Paused {
		t.Error("a break of an agent who is not signed in")
	}

	everywhere := on
	for i := range 50 {
		everywhere = everywhere.Given(agent.SignedIn{Device: device(fmt.Sprint("device ", i))})
	}
	everywhere.When(commands.SignIn{Device: "one more"}).ThenRefused("too-many-devices")
	everywhere.When(commands.SignIn{}).ThenRefused("too-many-devices")
	everywhere.When(commands.SignIn{Device: "device 7"}).ThenNothing()
	everywhere.When(commands.SignOut{Device: "device 7"}).Then(agent.SignedOut{Device: device("device 7")})

	self := commands.By{Actor: event.Actor{Kind: event.Agent, ID: ann}, Allowed: role.Agent.Permissions(), ID: ann}
	on.By(self).When(commands.SignIn{}).Then(agent.SignedIn{Device: agent.Device(personaltest.Names{}, ann, "panel")})
	self.ID = bob
	on.By(self).When(commands.SignIn{}).ThenRefused("permission-missing")
	on.By(self).When(commands.Pause{}).ThenRefused("permission-missing")
}

// TestOwnersAreManagedByOwners is cases 4.5 and 4.7: admins manage agents and admins, not owners; nor does an imported
// history make an owner for them, but owners of the other desk did what it says.
func TestOwnersAreManagedByOwners(t *testing.T) {
	in := agent.JoinedDepartment{Department: sales}
	owner, create := role.Owner, commands.CreateAgent{Name: "Ann", Email: "ann@desk.example", Role: role.Owner}
	all := []work.Command[agent.Agent, agent.Event]{
		commands.SignIn{}, commands.SignOut{Device: "panel"}, commands.Pause{}, commands.Unpause{}, commands.SwitchServices{Department: sales, Calls: new(bool)},
		commands.JoinDepartment{Department: support}, commands.LeaveDepartment{Department: sales}, commands.EditAgent{Name: text("Anna")}, commands.DeleteAgent{},
	}
	admin := commands.By{Actor: event.Actor{Kind: event.Agent, ID: bob}, ID: ann, Allowed: role.Admin.Permissions()}
	history := admin
	history.History = true
	self := commands.By{Actor: event.Actor{Kind: event.Agent, ID: ann}, ID: ann, Allowed: role.Admin.Permissions()}
	for _, r := range role.AgentRoles {
		is := annIs
		is.Role = r
		on := scenario.On(t, agent.Stream).Given(is, in, agent.SignedIn{Device: agent.Device(personaltest.Names{}, ann, "panel")})
		for i, command := range all {
			switch outcome := on.By(admin).When(command); {
			case r == role.Owner:
				outcome.ThenRefused("permission-missing")
			case outcome.Refused():
				t.Errorf("an admin may not do %T to an agent whose role is %s", command, r)
			}
			if on.By(history).When(command).Refused() {
				t.Errorf("an imported history may not do %T to an agent whose role is %s", command, r)
			}
			if status := i < 5; status && on.By(self).When(command).Refused() {
				t.Errorf("an agent whose role is %s may not do %T to themselves", r, command)
			}
		}
		if r != role.Owner {
			on.By(admin).When(commands.EditAgent{Role: &owner}).ThenRefused("permission-missing")
			on.By(history).When(commands.EditAgent{Role: &owner}).ThenRefused("permission-missing")
		}
	}
	on := scenario.On(t, agent.Stream)
	on.By(history).When(create).ThenRefused("permission-missing")
	history.Allowed = role.Owner.Permissions()
	on.By(history).When(create).Then(agent.Created{Name: scenario.Text("Ann"), Email: login("ann@desk.example"), Role: role.Owner})
}

func TestDepartment(t *testing.T) {
	on := scenario.On(t, department.Stream)
	on.When(commands.CreateDepartment{Name: " Sales "}).Then(department.Created{Name: "Sales"})
	on.When(commands.CreateDepartment{}).ThenRefused("name-required")
	is := on.Given(department.Created{Name: "Sales"})
	is.When(commands.CreateDepartment{Name: "Sales"}).ThenRefused("department-exists")
	is.When(commands.RenameDepartment{Name: "Sales"}).ThenNothing()
	is.When(commands.RenameDepartment{Name: "Orders"}).Then(department.Renamed{Name: "Orders"})
	is.When(commands.RenameDepartment{}).ThenRefused("name-required")
	is.When(commands.DeleteDepartment{}).Then(department.Deleted{})
	is.When(commands.DeleteDepartment{To: support}).Then(department.Deleted{To: support})
	is.When(commands.DeleteDepartment{Unsaid: true}).ThenRefused("department-has-tickets")
	is.By(commands.By{ID: sales}).When(commands.DeleteDepartment{To: sales}).ThenRefused("department-itself")
	is.Given(department.Deleted{}).When(commands.DeleteDepartment{}).ThenNothing()
	is.Given(department.Deleted{}).When(commands.DeleteDepartment{Unsaid: true}).ThenNothing()
	is.Given(department.Deleted{To: support}).When(commands.DeleteDepartment{To: support}).ThenNothing()
	is.Given(department.Deleted{}).When(commands.DeleteDepartment{To: support}).ThenRefused("department-deleted")
	is.Given(department.Deleted{}).When(commands.RenameDepartment{Name: "Orders"}).ThenRefused("department-deleted")
	on.When(commands.DeleteDepartment{}).ThenRefused("department-unknown")
}

func TestGroup(t *testing.T) {
	on := scenario.On(t, group.Stream)
	on.When(commands.CreateGroup{Name: "Gold", Color: "#000000", Background: "#ffd700"}).
		Then(group.Created{Name: "Gold", Held: groupNamed("Gold"), Look: group.Look{Color: "#000000", Background: "#ffd700"}})
	on.When(commands.CreateGroup{}).ThenRefused("name-required")
	on.When(commands.CreateGroup{Name: "Gold", Color: "gold"}).ThenRefused("colour-malformed")
	is := on.Given(group.Created{Name: "Gold", Held: groupNamed("Gold")})
	is.When(commands.CreateGroup{Name: "Gold"}).ThenRefused("group-exists")
	is.When(commands.EditGroup{Name: text("Platinum"), Color: text("#eeeeee")}).
		Then(group.Renamed{Name: "Platinum", Held: groupNamed("Platinum")}, group.Restyled{Look: group.Look{Color: "#eeeeee"}})
	is.When(commands.EditGroup{Name: text("Gold")}).ThenNothing()
	is.When(commands.EditGroup{Background: text("red")}).ThenRefused("colour-malformed")
	after := is.When(commands.DeleteGroup{}).Then(group.Archived{})
	if after.MustExist() != nil || after.MustBeUsable() == nil || len(group.Stream.Noun().Holds(after)) != 1 {
		t.Error("an archived group is gone, can be joined, or gave up its name")
	}
	archived := is.Given(group.Archived{}, group.ClaimLapsed{})
	archived.When(commands.DeleteGroup{}).ThenNothing()
	archived.When(commands.EditGroup{Archived: yes(true)}).ThenNothing()
	archived.When(commands.EditGroup{Archived: yes(false)}).Then(group.Unarchived{})
	on.When(commands.DeleteGroup{}).ThenRefused("group-unknown")
}

func yes(b bool) *bool { return &b }

func tagNamed(name string) uuid.UUID { return tag.Named(personaltest.Names{}, tag.Tickets, name).ID }

func groupNamed(name string) uuid.UUID { return group.Named(personaltest.Names{}, name).ID }

func TestTag(t *testing.T) {
	on := scenario.On(t, tag.Stream)
	on.When(commands.CreateTag{Scope: tag.Tickets, Name: "Billing"}).Then(tag.Created{Scope: tag.Tickets, Name: "Billing", Held: tagNamed("Billing")})
	on.When(commands.CreateTag{Scope: tag.Tickets}).ThenRefused("name-required")
	on.When(commands.CreateTag{Scope: "groups", Name: "Billing"}).ThenRefused("scope-unknown")
	is := on.Given(tag.Created{Scope: tag.Tickets, Name: "Billing", Held: tagNamed("Billing")})
	is.When(commands.CreateTag{Scope: tag.Tickets, Name: "Billing"}).ThenRefused("tag-exists")
	is.When(commands.EditTag{Name: text("Invoices")}).Then(tag.Renamed{Name: "Invoices", Held: tagNamed("Invoices")})
	is.When(commands.EditTag{Name: text("Billing")}).ThenNothing()
	is.When(commands.EditTag{Name: text("")}).ThenRefused("name-required")
	is.When(commands.EditTag{}).ThenNothing()
	after := is.When(commands.DeleteTag{}).Then(tag.Archived{})
	if after.MustExist() != nil || after.MustBeFor(tag.Tickets) == nil || len(tag.Stream.Noun().Holds(after)) != 1 {
		t.Error("an archived tag is gone, can be put on something, or gave up its name")
	}
	archived := is.Given(tag.Archived{}, tag.ClaimLapsed{})
	archived.When(commands.DeleteTag{}).ThenNothing()
	archived.When(commands.EditTag{Archived: yes(true)}).ThenNothing()
	archived.When(commands.EditTag{Name: text("Invoices"), Archived: yes(false)}).Then(tag.Renamed{Name: "Invoices", Held: tagNamed("Invoices")}, tag.Unarchived{})
	on.When(commands.DeleteTag{}).ThenRefused("tag-unknown")
}

func TestTagOfTheOtherRegistry(t *testing.T) {
	state := tag.Stream.Fold(tag.Tag{}, tag.Created{Scope: tag.Contacts, Name: "vip"})
	if err := state.MustBeFor(tag.Tickets); err == nil {
		t.Error("a tag for contacts may be put on tickets")
	}
}

func TestRecordLines(t *testing.T) {
	on := scenario.On(t, desk.ImportStream)
	played := desk.LinesPlayed{Source: "journal", Accepted: []uuid.UUID{id("a")}, Rejected: []uuid.UUID{id("b")}}
	on.When(commands.RecordLines{LinesPlayed: played}).Then(played)
	on.When(commands.RecordLines{LinesPlayed: desk.LinesPlayed{Source: "journal"}}).ThenNothing()
}

func TestKeysAreRecorded(t *testing.T) {
	on := scenario.On(t, key.Stream)
	created := key.Created{Name: scenario.Text("panel"), Role: role.Agent, Agent: ann}
	on.When(commands.RecordKey{Name: "panel", Role: role.Agent, Agent: ann}).Then(created)
	on.When(commands.RecordKey{Name: personal.Erased, Role: role.Agent, Agent: ann}).Then(key.Created{Role: role.Agent, Agent: ann})
	on.Given(created).When(commands.RecordKey{Name: "panel", Role: role.Agent, Agent: ann}).ThenNothing()
	on.When(commands.RevokeKey{}).ThenNothing()
	on.Given(created).When(commands.RevokeKey{}).Then(key.Revoked{})
	on.Given(created, key.Revoked{}).When(commands.RevokeKey{}).ThenNothing()
}

func TestLogIsRecorded(t *testing.T) {
	on := scenario.On(t, desk.LogStream)
	if l := on.When(commands.RecordRestore{Position: 538, Known: 540}).Then(desk.LogRestored{Position: 538, Known: 540}); l.Restores != 1 {
		t.Errorf("%+v", l)
	}
	on.When(commands.RecordLoss{}).ThenNothing()
	if l := on.When(commands.RecordLoss{Subjects: []uuid.UUID{cy}}).Then(desk.KeysLost{Subjects: []uuid.UUID{cy}}); l.Losses != 1 {
		t.Errorf("%+v", l)
	}
}

func TestField(t *testing.T) {
	named := func(name string) uuid.UUID { return field.Named(personaltest.Names{}, field.Contacts, name).ID }
	size := field.Defined{Scope: field.Contacts, Name: "Size", Type: field.Number, Held: named("Size")}
	on := scenario.On(t, field.Stream)
	on.When(commands.DefineField{Scope: field.Contacts, Name: " Size ", Type: field.Number}).Then(size)
	on.When(commands.DefineField{Scope: field.Contacts, Type: field.Number}).ThenRefused("name-required")
	on.When(commands.DefineField{Scope: "tickets", Name: "Size", Type: field.Number}).ThenRefused("scope-unknown")
	on.When(commands.DefineField{Scope: field.Contacts, Name: "Size", Type: "colour"}).ThenRefused("field-type-unknown")
	is, two := on.Given(size), 2
	is.When(commands.DefineField{Scope: field.Contacts, Name: "Size", Type: field.Text}).ThenRefused("field-exists")
	is.When(commands.EditField{Name: text("Shoe size"), Order: &two, Archived: yes(true)}).Then(field.Renamed{Name: "Shoe size", Held: named("Shoe size")}, field.Moved{Order: 2}, field.Archived{})
	is.When(commands.EditField{Name: text("Size"), Archived: yes(false)}).ThenNothing()
	is.Given(field.Archived{}, field.ClaimLapsed{}).When(commands.EditField{Archived: yes(false)}).Then(field.Unarchived{})
	on.When(commands.EditField{}).ThenRefused("field-unknown")
}

func TestFieldOfPeople(t *testing.T) {
	size := field.Stream.Fold(field.Field{}, field.Defined{Scope: field.Contacts, Name: "Size", Type: field.Number})
	knows := work.With(commands.By{Allowed: role.Agent.Permissions()}, field.Stream, vip, size)
	value := field.Value{Field: vip, Type: field.Number, Value: scenario.Text("41.5")}
	on := scenario.On(t, contact.Stream).By(knows).Given(eve)
	on.When(commands.SetContactField{Field: vip, Value: " 41.50"}).Then(contact.FieldSet{Value: value})
	on.When(commands.SetContactField{Field: vip, Value: "big"}).ThenRefused("field-value-malformed")
	on.When(commands.ClearContactField{Field: vip}).ThenNothing()
	has := on.Given(contact.FieldSet{Value: value})
	has.When(commands.SetContactField{Field: vip, Value: "4150e-2"}).ThenNothing()
	has.When(commands.ClearContactField{Field: vip}).Then(contact.FieldCleared{Field: vip})
	has.Given(contact.Deleted{}).When(commands.SetContactField{Field: vip, Value: "1"}).ThenRefused("contact-deleted")
	firm := scenario.On(t, company.Stream).By(knows).Given(company.Registered{Profile: named("Acme")})
	firm.When(commands.SetCompanyField{Field: vip, Value: "41.5"}).Then(company.FieldSet{Value: value})
	firm.Given(company.FieldSet{Value: value}).When(commands.ClearCompanyField{Field: vip}).Then(company.FieldCleared{Field: vip})
	if size.MustBeFor(field.Companies) == nil || size.MustBeFor(field.Contacts) != nil || field.Stream.Fold(size, field.Archived{}).MustBeFor(field.Contacts) == nil {
		t.Error("a field is for things of its scope only, and for none once it is archived")
	}
}
