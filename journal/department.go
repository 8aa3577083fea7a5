package journal

import (
	"daybook/commands"
	"daybook/domain/department"
)

var departmentVerbs = map[string]func() verb{
	"department.create": command[commands.CreateDepartment](department.Stream),
}
