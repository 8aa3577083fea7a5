package testdb

import (
	"net/url"
	"strings"
	"testing"

	"github.com/Shopify/toxiproxy/v2"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"
)

// Proxy puts a proxy in front of a database, which can be made to fail, and returns the database's address through it.
func Proxy(t testing.TB, database string) (network *toxiproxy.Proxy, proxied string) {
	t.Helper()
	u, err := url.Parse(database)
	if err != nil {
		t.Fatal(err)
	}
	metrics := toxiproxy.NewMetricsContainer(prometheus.NewRegistry())
	network = toxiproxy.NewProxy(toxiproxy.NewServer(metrics, zerolog.Nop()), "postgres", "127.0.0.1:0", u.Host)
	if err := network.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(network.Stop)
	u.Host = network.Listen
	return network, u.String()
}

// Stall makes a proxy swallow all data from now on, without closing connections.
func Stall(t testing.TB, network *toxiproxy.Proxy) {
	t.Helper()
	for _, way := range []string{"upstream", "downstream"} {
		toxic := `{"name": "` + way + `", "type": "timeout", "stream": "` + way + `", "attributes": {"timeout": 0}}`
		if _, err := network.Toxics.AddToxicJson(strings.NewReader(toxic)); err != nil {
			t.Fatal(err)
		}
	}
}
