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
)

// metrics is what Prometheus is told. No label ever holds an id or anything that somebody wrote.
type metrics struct {
	handler  http.Handler
	requests *prometheus.CounterVec
	seconds  *prometheus.HistogramVec
}

func newMetrics(o *operator) *metrics {
	registry := prometheus.NewRegistry()
	m := &metrics{
		handler: promhttp.HandlerFor(registry, promhttp.HandlerOpts{}),
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "daybook_requests_total", Help: "HTTP requests, by method and status.",
		}, []string{"method", "status"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "daybook_request_seconds", Help: "How long HTTP requests took, by method; streams left out.",
			Buckets: []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10},
		}, []string{"method"}),
	}
	registry.MustRegister(m.requests, m.seconds, lag{o}, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

// lag collects how the projections are, when asked.
type lag struct{ operator *operator }

var (
	lagEvents = prometheus.NewDesc("daybook_projection_lag_events", "Events that a projection lacks; in EventStoreDB an estimate.", []string{"projection"}, nil)
	lagTime   = prometheus.NewDesc("daybook_projection_lag_seconds", "How long ago the first of these was recorded.", []string{"projection"}, nil)
	position  = prometheus.NewDesc("daybook_projection_position", "How far a projection is.", []string{"projection"}, nil)
	parked    = prometheus.NewDesc("daybook_projection_parked", "Things that a projection no longer follows.", []string{"projection"}, nil)
)

// Describe names what is collected.
func (lag) Describe(out chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{lagEvents, lagTime, position, parked} {
		out <- d
	}
}

// Collect asks the engine.
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

// count counts requests, and serves /metrics to callers on this machine if it is to be on the API's address.
func (m *metrics) count(next http.Handler, serve bool) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if serve && r.URL.Path == "/metrics" && loopback(r.RemoteAddr) {
			m.handler.ServeHTTP(w, r)
			return
		}
		watched := &watcher{ResponseWriter: w, status: http.StatusOK}
		began := time.Now()
		next.ServeHTTP(watched, r)
		m.requests.WithLabelValues(method(r), strconv.Itoa(watched.status)).Inc()
		if w.Header().Get("Content-Type") != "text/event-stream" {
			m.seconds.WithLabelValues(method(r)).Observe(time.Since(began).Seconds())
		}
	})
}

// serve serves /metrics on an address of its own until the context ends.
func (m *metrics) serve(ctx context.Context, listener net.Listener) {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", m.handler)
	server := &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second}
	context.AfterFunc(ctx, func() { server.Close() })
	go func() {
		if err := server.Serve(listener); err != nil && !errors.Is(err, http.ErrServerClosed) {
			panic(err) // the listener is ours and open
		}
	}()
}

func loopback(address string) bool {
	host, _, err := net.SplitHostPort(address)
	ip := net.ParseIP(host)
	return err == nil && ip != nil && ip.IsLoopback()
}

// method is the request's method if it is one that we serve: callers can write what they like.
func method(r *http.Request) string {
	switch r.Method {
	case http.MethodGet, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete:
		return r.Method
	}
	return "other"
}

// watcher notes the status of an answer.
type watcher struct {
	http.ResponseWriter
	status int
}

func (w *watcher) WriteHeader(status int) {
	w.status = status
	w.ResponseWriter.WriteHeader(status)
}

// Flush sends what was written so far.
func (w *watcher) Flush() {
	if f, ok := w.ResponseWriter.(http.Flusher); ok {
		f.Flush()
	}
}

// Unwrap lets http.ResponseController find the writer below.
func (w *watcher) Unwrap() http.ResponseWriter { return w.ResponseWriter }
