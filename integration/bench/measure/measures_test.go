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
