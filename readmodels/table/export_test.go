package table

// LookAt changes how many entries a page looks at, and which lists are short. It returns what changes them back.
func LookAt(most, few int) (back func()) {
	before := [2]int{mostEntries, fewEntries}
	mostEntries, fewEntries = most, few
	return func() { mostEntries, fewEntries = before[0], before[1] }
}
