package proxy

import (
	"net"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/swindon-go/swindon/internal/port"
)

func TestMetrics(t *testing.T) {
	t.Parallel()
	reg := prometheus.NewRegistry()
	m, err := NewMetrics(reg)
	if err != nil {
		t.Fatal(err)
	}
	b := startRaw(t, answer("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"))
	d := newTestDestination(t, testConfig(b.addr), Deps{Metrics: m, Dial: new(net.Dialer).DialContext})
	for range 3 {
		if _, err := d.Call(t.Context(), &port.Call{Path: "/"}); err != nil {
			t.Fatal(err)
		}
	}
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]float64{}
	for _, f := range families {
		for _, x := range f.GetMetric() {
			if l := x.GetLabel(); len(l) != 1 || l[0].GetName() != "destination" || l[0].GetValue() != "backend" {
				t.Errorf("%s has labels %v", f.GetName(), l)
			}
			got[f.GetName()] = x.GetCounter().GetValue() + x.GetGauge().GetValue()
		}
	}
	for name, want := range map[string]float64{
		"swindon_destination_requests_total": 3, "swindon_destination_requests_forwarded_total": 3,
		"swindon_destination_connected": 1, "swindon_destination_connections_established_total": 1,
		"swindon_destination_request_queue": 0, "swindon_destination_backends": 1,
	} {
		if v, ok := got[name]; !ok || v != want {
			t.Errorf("%s is %v (%v), want %v", name, v, ok, want)
		}
	}
	if got := m.Totals(); got.Requests != 3 || got.Pools != 1 || got.PoolsStarted != 1 || got.PoolsStopped != 0 {
		t.Errorf("totals %+v", got)
	}
}
