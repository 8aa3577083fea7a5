package report

// A Metric is the name of something that an agent's activity is counted or measured by. What each means, event by event,
// is said in docs/metrics.md.
type Metric string
