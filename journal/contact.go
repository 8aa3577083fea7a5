package journal

import (
	"daybook/commands"
	"daybook/domain/contact"
)

var contactVerbs = map[string]maker{
	"contact.register":       command[commands.RegisterContact](contact.Stream, "name"),
	"contact.edit":           edit[commands.EditContact](contact.Stream),
	"contact.assign_company": command[commands.AssignCompany](contact.Stream),
	"contact.leave_company":  command[commands.LeaveCompany](contact.Stream),
	"contact.tag":            command[commands.TagContact](contact.Stream),
	"contact.untag":          command[commands.UntagContact](contact.Stream),
	"contact.join_group":     command[commands.GroupContact](contact.Stream),
	"contact.leave_group":    command[commands.UngroupContact](contact.Stream),
	"contact.note":           command[commands.AddContactNote](contact.Stream),
	"contact.edit_note":      command[commands.EditContactNote](contact.Stream),
	"contact.remove_note":    command[commands.RemoveContactNote](contact.Stream),
}
