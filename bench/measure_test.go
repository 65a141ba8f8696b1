package main

import (
	"context"
	"io"
	"math"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestPercentile(t *testing.T) {
	hundred := make([]time.Duration, 100)
	for i := range hundred {
		hundred[i] = time.Duration(i + 1)
	}
	for _, tt := range []struct {
		sorted  []time.Duration
		percent int
		want    time.Duration
	}{
		{nil, 50, 0},
		{[]time.Duration{7}, 99, 7},
		{[]time.Duration{1, 2}, 50, 1},
		{hundred, 50, 50},
		{hundred, 99, 99},
		{hundred[:99], 99, 99},
		{hundred, 100, 100},
	} {
		if got := percentile(tt.sorted, tt.percent); got != tt.want {
			t.Errorf("percentile %d of %d values is %d, want %d", tt.percent, len(tt.sorted), got, tt.want)
		}
	}
}

func TestMedian(t *testing.T) {
	values := []float64{5, 1, 9}
	if got := median(values); got != 5 || values[0] != 5 {
		t.Errorf("median %v, and the values are %v", got, values)
	}
	if got := median([]float64{4, 1, 2, 9}); got != 3 {
		t.Errorf("median %v", got)
	}
	if got := median(nil); !math.IsNaN(got) {
		t.Errorf("median of nothing is %v", got)
	}
}

// TestCompare shows that the first round is thrown away, and that turns are taken in both directions.
func TestCompare(t *testing.T) {
	s := &suite{size: size{rounds: 3}, log: io.Discard}
	var order []string
	contend := func(name string) contender {
		return func(_ context.Context, into samples) error {
			order = append(order, name)
			into.rate(name, len(order), time.Second)
			return nil
		}
	}
	got, err := s.compare(t.Context(), contend("a"), contend("b"))
	if err != nil {
		t.Fatal(err)
	}
	if turns := strings.Join(order, ""); turns != "abbaabba" {
		t.Errorf("turns are %s", turns)
	}
	if !slices.Equal(got["a"], []float64{4, 5, 8}) || !slices.Equal(got["b"], []float64{3, 6, 7}) {
		t.Errorf("kept %v", got)
	}
}

func TestAreaIsWritten(t *testing.T) {
	a := area{Title: "Things", Method: "As usual.", samples: samples{
		"ours": {40_000, 50_000, 60_000}, "bare": {50_000, 50_000, 100_000}, "ours p50": {0.0004}, "ours p99": {0.02},
	}}
	a.Rows = append(a.Rows, row{"things", "ours", "bare things", "bare", perSecond})
	a.Rows = append(a.Rows, latencyRows("ours", "ours", "", "")...)
	var b strings.Builder
	a.write(&b)
	for _, want := range []string{
		"| things | **50,000/s** | 40,000/s – 60,000/s | bare things | 50,000/s | 50,000/s – 100,000/s | **0.80** | 0.60 – 1.00 |\n",
		"| ours, p50 | **400 µs** | 400 µs – 400 µs | | | | | |\n",
		"| ours, p99 | **20.00 ms** |",
	} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("%q is not in:\n%s", want, b.String())
		}
	}
	if err := a.missing(); err != nil {
		t.Error(err)
	}
	a.Rows[0].bare = "nothing"
	if err := a.missing(); err == nil {
		t.Error("a limit that nobody measured was not noticed")
	}
}

func TestValuesAreWritten(t *testing.T) {
	for _, tt := range []struct{ got, want string }{
		{perSecond(0.4), "0/s"},
		{perSecond(999), "999/s"},
		{perSecond(1234), "1,230/s"},
		{perSecond(1_234_567), "1,230,000/s"},
		{seconds(0.0000026), "3 µs"},
		{seconds(0.0123), "12.30 ms"},
		{seconds(2), "2.00 s"},
		{megabytes(90 << 20), "90 MiB"},
		{megabytes(2 << 30), "2,050 MiB"},
		{cores(1.754), "1.75"},
		{ratio(0.0123), "0.012"},
		{ratio(0.75), "0.75"},
		{ratio(44.4), "44"},
	} {
		if tt.got != tt.want {
			t.Errorf("%q, want %q", tt.got, tt.want)
		}
	}
}
