package pgconn

import "maps"

// Settings are what each session is set to.
func Settings() map[string]string { return maps.Clone(settings) }
