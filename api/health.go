package api

// Health is the answer of a health check.
type Health struct {
	Status string `json:"status" doc:"Status: alive or ready"`
}
