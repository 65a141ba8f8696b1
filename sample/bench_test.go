package sample_test

import (
	"fmt"
	"testing"

	"rolewise/sample"
)

func BenchmarkGenerate(b *testing.B) {
	for _, size := range []sample.Size{sample.DefaultSize, {Members: 5000, Teams: 100, Skills: 100, Roles: 60, Events: 50_000}} {
		b.Run(fmt.Sprintf("members=%d", size.Members), func(b *testing.B) {
			events := 0
			for b.Loop() {
				events += generate(b, openStore(b), sample.Options{End: end, Size: size}).Total()
			}
			b.ReportMetric(float64(events)/b.Elapsed().Seconds(), "events/s")
		})
	}
}
