package api

// Health is the answer of a health check.
type Health struct {
	Status string `json:"status" doc:"alive or ready"`
}
