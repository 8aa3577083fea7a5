package journal

import (
	"daybook/commands"
	"daybook/domain/company"
)

var companyVerbs = map[string]maker{
	"company.register":    command[commands.RegisterCompany](company.Stream, "name"),
	"company.edit":        edit[commands.EditCompany](company.Stream),
	"company.join_group":  command[commands.GroupCompany](company.Stream),
	"company.leave_group": command[commands.UngroupCompany](company.Stream),
}
