package measure

import "testing"

func TestMedian(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		values []float64
		want   float64
	}{{nil, 0}, {[]float64{3}, 3}, {[]float64{9, 1, 5}, 5}, {[]float64{4, 2, 8, 6}, 5}} {
		var samples []Sample
		for _, v := range test.values {
			samples = append(samples, Sample{Value: v})
		}
		if got := Median(samples); got != test.want {
			t.Errorf("Median(%v) = %v, want %v", test.values, got, test.want)
		}
	}
}

func TestMeasuresAreComplete(t *testing.T) {
	t.Parallel()
	seen := make(map[string]bool)
	for _, m := range All(false) {
		if m.ours == nil || m.Title == "" || m.Unit == "" || m.Method == "" || (m.base == nil) != (m.Base == "") {
			t.Errorf("measure %q is incomplete", m.Name)
		}
		if m.Ratio != 0 && m.base == nil {
			t.Errorf("measure %q has a ratio to nothing", m.Name)
		}
		if seen[m.Name] {
			t.Errorf("two measures are called %q", m.Name)
		}
		seen[m.Name] = true
	}
}

// Messages that the measured node lost end the measure, whatever the reason was.
func TestLosses(t *testing.T) {
	t.Parallel()
	text := func(overflow, reconnect, dropped string) []byte {
		return []byte("# TYPE swindon_nats_gaps_total counter\n" + `swindon_nats_gaps_total{reason="overflow"} ` + overflow + "\n" +
			`swindon_nats_gaps_total{reason="reconnect"} ` + reconnect + "\nswindon_nats_dropped_total " + dropped + "\nswindon_nats_dropped_totals 99\n")
	}
	before, err := lossesIn(text("1", "2", "3e1"))
	if err != nil || before != (losses{gaps: 3, dropped: 30}) {
		t.Fatalf("read %+v, %v", before, err)
	}
	for _, test := range []struct {
		overflow, reconnect, dropped string
		bad                          bool
	}{{"1", "2", "30", false}, {"2", "2", "30", true}, {"1", "3", "30", true}, {"1", "2", "31", true}} {
		after, err := lossesIn(text(test.overflow, test.reconnect, test.dropped))
		if err != nil {
			t.Fatal(err)
		}
		if err := after.since(before); (err != nil) != test.bad {
			t.Errorf("%+v: %v", test, err)
		}
	}
	if _, err := lossesIn([]byte("swindon_nats_dropped_total 0\n")); err == nil {
		t.Error("a metric that is not there counts as none lost")
	}
}
