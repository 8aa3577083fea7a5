package journal

import (
	"daybook/commands"
	"daybook/domain/department"
)

var departmentVerbs = map[string]maker{
	"department.create": command[commands.CreateDepartment](department.Stream),
}
