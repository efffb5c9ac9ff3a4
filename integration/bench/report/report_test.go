package report

import (
	"errors"
	"strings"
	"testing"

	"github.com/swindon-go/swindon/integration/bench/measure"
)

func TestTable(t *testing.T) {
	t.Parallel()
	samples := func(values ...float64) []measure.Sample {
		var s []measure.Sample
		for _, v := range values {
			s = append(s, measure.Sample{Value: v})
		}
		return s
	}
	results := []measure.Result{
		{Measure: measure.Measure{Title: "fan-out", Unit: "µs", Base: "bare", Ratio: 1.3}, Ours: samples(1.2, 1.3, 9), Bases: samples(1, 1, 1)},
		{Measure: measure.Measure{Title: "RPC", Unit: "µs", Base: "bare", Ratio: 4}, Ours: samples(50), Bases: samples(10)},
		{Measure: measure.Measure{Title: "memory", Unit: "KiB", Limit: 8}, Ours: samples(7.5)},
		{Measure: measure.Measure{Title: "rate", Unit: "updates/s", Least: 10_000}, Ours: samples(12_345)},
		{Measure: measure.Measure{Title: "low rate", Unit: "updates/s", Least: 10_000}, Ours: samples(9_999)},
		{Measure: measure.Measure{Title: "extra", Unit: "µs", Base: "bare"}, Ours: samples(3), Bases: samples(2)},
		{Measure: measure.Measure{Title: "broken", Unit: "µs", Ratio: 2}, Err: errors.New("no nginx")},
	}
	var got strings.Builder
	Table(&got, results)
	want := `| Measure | Ours | Baseline | Ratio | Target | |
| --- | --- | --- | --- | --- | --- |
| fan-out | 1.30 µs | 1.00 µs (bare) | 1.30 | ≤ 1.3 × | met |
| RPC | 50.0 µs | 10.0 µs (bare) | 5.00 | ≤ 4.0 × | missed |
| memory | 7.50 KiB | – | – | ≤ 8 KiB | met |
| rate | 12345 updates/s | – | – | ≥ 10000 updates/s | met |
| low rate | 9999 updates/s | – | – | ≥ 10000 updates/s | missed |
| extra | 3.00 µs | 2.00 µs (bare) | 1.50 | – |  |
| broken | not measured | | | ≤ 2.0 × | |
`
	if got.String() != want {
		t.Errorf("Table =\n%s\nwant\n%s", got.String(), want)
	}
}

func TestWriteEndsWithTheTable(t *testing.T) {
	t.Parallel()
	results := []measure.Result{{Measure: measure.Measure{Name: "x", Title: "one", Unit: "ms", Limit: 1, Method: "so"}, Ours: []measure.Sample{{Value: 2, Detail: "d"}}}}
	var got strings.Builder
	if err := Write(&got, About{Command: "make bench", Runs: 1}, results); err != nil {
		t.Fatal(err)
	}
	if !strings.HasSuffix(got.String(), "| one | 2.00 ms | – | – | ≤ 1 ms | missed |\n") {
		t.Errorf("the report ends with\n%s", got.String())
	}
}
