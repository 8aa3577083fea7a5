package main

import (
	"context"
	"errors"
	"net"
	"net/http"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"daybook/api"
)

// metrics are the Prometheus metrics. No label holds an id or anything that a person wrote.
type metrics struct {
	handler  http.Handler
	requests *prometheus.CounterVec
	seconds  *prometheus.HistogramVec
	limits   *prometheus.CounterVec
}

func newMetrics(o *operator) *metrics {
	registry := prometheus.NewRegistry()
	m := &metrics{
		handler: promhttp.HandlerFor(registry, promhttp.HandlerOpts{}),
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "daybook_requests_total", Help: "Number of HTTP requests, by method and status.",
		}, []string{"method", "status"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "daybook_request_seconds", Help: "Duration of HTTP requests in seconds, by method, without event streams.",
			Buckets: []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10},
		}, []string{"method"}),
		limits: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "daybook_limits_met_total", Help: "Number of HTTP requests that were refused because of a limit, by the limit.",
		}, []string{"limit"}),
	}
	for _, limit := range api.Limited() {
		m.limits.WithLabelValues(limit)
	}
	registry.MustRegister(m.requests, m.seconds, m.limits, lag{o}, ahead{o}, o.verified.at, o.verified.faults, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

// lag collects the status of the projections at each scrape.
type lag struct{ operator *operator }

var (
	lagEvents = prometheus.NewDesc("daybook_projection_lag_events", "Number of events that a projection has not applied yet; an estimate with EventStoreDB.", []string{"projection"}, nil)
	lagTime   = prometheus.NewDesc("daybook_projection_lag_seconds", "Age in seconds of the first event that a projection has not applied yet.", []string{"projection"}, nil)
	position  = prometheus.NewDesc("daybook_projection_position", "Position of a projection's checkpoint.", []string{"projection"}, nil)
	parked    = prometheus.NewDesc("daybook_projection_parked", "Number of streams that a projection has parked.", []string{"projection"}, nil)
)

// Describe implements prometheus.Collector.
func (lag) Describe(out chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{lagEvents, lagTime, position, parked} {
		out <- d
	}
}

// Collect implements prometheus.Collector.
func (l lag) Collect(out chan<- prometheus.Metric) {
	all, err := l.operator.status(context.Background())
	if err != nil {
		out <- prometheus.NewInvalidMetric(lagEvents, err)
		return
	}
	for _, s := range all {
		gauge := func(d *prometheus.Desc, v float64) {
			out <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, s.Name)
		}
		gauge(lagEvents, float64(s.Lag))
		gauge(lagTime, s.Behind.Seconds())
		gauge(position, float64(s.Position))
		gauge(parked, float64(s.Parked))
	}
}

// ahead collects at each scrape by how much the log is ahead of the clock.
type ahead struct{ operator *operator }

var recordedAhead = prometheus.NewDesc("daybook_recorded_ahead_seconds", "Seconds by which the recording times of the log are ahead of its clock, normally 0.", nil, nil)

// Describe implements prometheus.Collector.
func (ahead) Describe(out chan<- *prometheus.Desc) { out <- recordedAhead }

// Collect implements prometheus.Collector.
func (a ahead) Collect(out chan<- prometheus.Metric) {
	by, err := a.operator.ahead(context.Background())
	if err != nil {
		out <- prometheus.NewInvalidMetric(recordedAhead, err)
		return
	}
	out <- prometheus.MustNewConstMetric(recordedAhead, prometheus.GaugeValue, by.Seconds())
}

// exceeded counts a request that met a limit.
func (m *metrics) exceeded(limit string) { m.limits.WithLabelValues(limit).Inc() }

// count counts requests.
func (m *metrics) count(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		watched := &watcher{ResponseWriter: w, status: http.StatusOK}
		began := time.Now()
		next.ServeHTTP(watched, r)
		m.requests.WithLabelValues(method(r), strconv.Itoa(watched.status)).Inc()
		if w.Header().Get("Content-Type") != "text/event-stream" {
			m.seconds.WithLabelValues(method(r)).Observe(time.Since(began).Seconds())
		}
	})
}

// serve serves /metrics on its own listener until the context ends.
func (m *metrics) serve(ctx context.Context, listener net.Listener) {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", m.handler)
	server := &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second, ReadTimeout: 30 * time.Second, WriteTimeout: 30 * time.Second, IdleTimeout: 2 * time.Minute}
	context.AfterFunc(ctx, func() { server.Close() })
	go func() {
		if err := server.Serve(listener); err != nil && !errors.Is(err, http.ErrServerClosed) {
			panic(err) // the listener is ours and open
		}
	}()
}

// method returns the request's method as a label, or "other" for one that we do not serve, since clients can send any.
func method(r *http.Request) string {
	switch r.Method {
	case http.MethodGet, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete:
		return r.Method
	}
	return "other"
}

// watcher records the status of an answer.
type watcher struct {
	http.ResponseWriter
	status int
}

func (w *watcher) WriteHeader(status int) {
	w.status = status
	w.ResponseWriter.WriteHeader(status)
}

// Flush implements http.Flusher.
func (w *watcher) Flush() {
	if f, ok := w.ResponseWriter.(http.Flusher); ok {
		f.Flush()
	}
}

// Unwrap lets http.ResponseController find the underlying writer.
func (w *watcher) Unwrap() http.ResponseWriter { return w.ResponseWriter }
