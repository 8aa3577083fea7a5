package api

// Health is the answer of a health check.
type Health struct {
	Status   string   `json:"status" doc:"Status: alive or ready"`
	Warnings []string `json:"warnings,omitempty" doc:"Sentences on what an operator should look at, although the desk can serve"`
}
