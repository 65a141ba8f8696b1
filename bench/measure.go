package main

import (
	"context"
	"fmt"
	"math"
	"runtime"
	"slices"
	"time"
)

// samples are the values of one benchmark by what was measured, one for each round.
type samples map[string][]float64

// rate keeps how many a second were done.
func (s samples) rate(name string, done int, took time.Duration) {
	s[name] = append(s[name], float64(done)/took.Seconds())
}

// latency keeps the median and the 99th percentile of many durations, in seconds, as "name p50" and "name p99".
func (s samples) latency(name string, all []time.Duration) {
	slices.Sort(all)
	for _, percent := range []int{50, 99} {
		key := fmt.Sprintf("%s p%d", name, percent)
		s[key] = append(s[key], percentile(all, percent).Seconds())
	}
}

// percentile is the smallest of sorted values that is not exceeded by so many percent of them.
func percentile(sorted []time.Duration, percent int) time.Duration {
	if len(sorted) == 0 {
		return 0
	}
	return sorted[max(0, (len(sorted)*percent+99)/100-1)]
}

func median(values []float64) float64 {
	if len(values) == 0 {
		return math.NaN()
	}
	sorted := slices.Sorted(slices.Values(values))
	middle := len(sorted) / 2
	if len(sorted)%2 == 1 {
		return sorted[middle]
	}
	return (sorted[middle-1] + sorted[middle]) / 2
}

// ratios divides round by round, so that what slows a whole round down slows both.
func ratios(ours, bare []float64) []float64 {
	divided := make([]float64, min(len(ours), len(bare)))
	for i := range divided {
		divided[i] = ours[i] / bare[i]
	}
	return divided
}

// contender measures one thing once and keeps what came out.
type contender func(ctx context.Context, into samples) error

// compare lets contenders take turns: a round to warm up, which is thrown away, then the rounds that count. Every second
// round runs backwards, so that none always follows the same one.
func (s *suite) compare(ctx context.Context, contenders ...contender) (samples, error) {
	kept := samples{}
	for round := range s.rounds + 1 {
		into := kept
		if round == 0 {
			into = samples{}
		}
		if round%2 == 1 {
			slices.Reverse(contenders)
		}
		for _, measure := range contenders {
			runtime.GC() // nobody pays for the garbage of the one before
			if err := measure(ctx, into); err != nil {
				return nil, err
			}
			if err := ctx.Err(); err != nil {
				return nil, err
			}
		}
		if round%2 == 1 {
			slices.Reverse(contenders)
		}
		if round == 0 {
			s.say("warm")
		} else {
			s.say("round %d of %d", round, s.rounds)
		}
	}
	return kept, nil
}
