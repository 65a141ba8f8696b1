package kurrent_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"
	"github.com/google/uuid"

	"rolewise/eventstore"
)

// The adapter beside the bare official client on one front: the ratio of the two is what counts.

// benchEvent has about 400 bytes of data and metadata.
func benchEvent() eventstore.Event {
	return eventstore.Event{ID: uuid.New(), Type: "SkillIQMeasured",
		Data: []byte(`{"d":"` + string(bytes.Repeat([]byte("d"), 242)) + `"}`), Metadata: bytes.Repeat([]byte("m"), 150)}
}

// appender appends one event to a stream at a revision.
type appender func(ctx context.Context, id eventstore.StreamID, at eventstore.Revision, e eventstore.Event) error

func appenders(b *testing.B) (*front, map[string]appender) {
	f := startFront(b)
	client := plainClient(b, f.ConnectionString())
	s := open(b, f.ConnectionString())
	return f, map[string]appender{
		"bare": func(ctx context.Context, id eventstore.StreamID, at eventstore.Revision, e eventstore.Event) error {
			var expected esdb.ExpectedRevision = esdb.NoStream{}
			if at >= 0 {
				expected = esdb.Revision(uint64(at))
			}
			_, err := client.AppendToStream(ctx, id.String(), esdb.AppendToStreamOptions{ExpectedRevision: expected},
				esdb.EventData{EventID: e.ID, EventType: e.Type, ContentType: esdb.ContentTypeJson, Data: e.Data, Metadata: e.Metadata})
			return err
		},
		"adapter": func(ctx context.Context, id eventstore.StreamID, at eventstore.Revision, e eventstore.Event) error {
			_, err := s.Append(ctx, id, at, e)
			return err
		},
	}
}

func BenchmarkAppend(b *testing.B) {
	_, by := appenders(b)
	round := 0
	for _, writers := range []int{1, 64} {
		for _, name := range []string{"bare", "adapter"} {
			b.Run(fmt.Sprintf("writers=%d/%s", writers, name), func(b *testing.B) {
				round++
				var left atomic.Int64
				left.Store(int64(b.N))
				b.ResetTimer()
				var group sync.WaitGroup
				for w := range writers {
					group.Go(func() {
						for i := 0; left.Add(-1) >= 0; i++ {
							if err := by[name](context.Background(), stream(fmt.Sprintf("%d %d", round, w)), eventstore.Revision(i-1), benchEvent()); err != nil {
								b.Error(err)
								return
							}
						}
					})
				}
				group.Wait()
				b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "events/s")
			})
		}
	}
}

// bareRead reads to the end with the bare client.
func bareRead(b *testing.B, in *esdb.ReadStream, err error) (n int) {
	if err != nil {
		b.Fatal(err)
	}
	defer in.Close()
	for ; ; n++ {
		if _, err := in.Recv(); errors.Is(err, io.EOF) {
			return n
		} else if err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkRead(b *testing.B) {
	f := startFront(b)
	client := plainClient(b, f.ConnectionString())
	s := open(b, f.ConnectionString())
	for _, size := range []int{20, 5000} {
		id := stream(fmt.Sprint(size))
		for at := 0; at < size; at += 20 {
			batch := make([]eventstore.Event, 20)
			for i := range batch {
				batch[i] = benchEvent()
			}
			must(b, s, id, eventstore.Revision(at-1), batch...)
		}
		b.Run(fmt.Sprintf("events=%d/bare", size), func(b *testing.B) {
			for b.Loop() {
				in, err := client.ReadStream(context.Background(), id.String(), esdb.ReadStreamOptions{}, math.MaxInt64)
				if n := bareRead(b, in, err); n != size {
					b.Fatal(n)
				}
			}
			b.ReportMetric(float64(size*b.N)/b.Elapsed().Seconds(), "events/s")
		})
		b.Run(fmt.Sprintf("events=%d/adapter", size), func(b *testing.B) {
			for b.Loop() {
				n := 0
				for _, err := range s.Read(context.Background(), id, 0) {
					if err != nil {
						b.Fatal(err)
					}
					n++
				}
				if n != size {
					b.Fatal(n)
				}
			}
			b.ReportMetric(float64(size*b.N)/b.Elapsed().Seconds(), "events/s")
		})
	}
}

// BenchmarkHistory catches up with a log of 100,000 events.
func BenchmarkHistory(b *testing.B) {
	const total = 100_000
	f := startFront(b)
	client := plainClient(b, f.ConnectionString())
	s := open(b, f.ConnectionString())
	for at := 0; at < total; at += 1000 {
		batch := make([]eventstore.Event, 1000)
		for i := range batch {
			batch[i] = benchEvent()
		}
		must(b, s, stream(fmt.Sprint(at)), eventstore.NoStream, batch...)
	}
	metric := func(b *testing.B) { b.ReportMetric(float64(total*b.N)/b.Elapsed().Seconds(), "events/s") }
	b.Run("bare read", func(b *testing.B) {
		for b.Loop() {
			in, err := client.ReadAll(context.Background(), esdb.ReadAllOptions{}, math.MaxInt64)
			bareRead(b, in, err)
		}
		metric(b)
	})
	b.Run("bare subscription", func(b *testing.B) {
		for b.Loop() {
			subscription, err := client.SubscribeToAll(context.Background(), esdb.SubscribeToAllOptions{From: esdb.Start{},
				MaxSearchWindow: 512, Filter: &esdb.SubscriptionFilter{Type: esdb.StreamFilterType, Prefixes: []string{"role-"}}})
			if err != nil {
				b.Fatal(err)
			}
			for n := 0; n < total; {
				if subscription.Recv().EventAppeared != nil {
					n++
				}
			}
			_ = subscription.Close()
		}
		metric(b)
	})
	b.Run("adapter", func(b *testing.B) {
		for b.Loop() {
			if all, _ := followTo(b, s, 0, live); len(all) != total {
				b.Fatal(len(all))
			}
		}
		metric(b)
	})
}

// BenchmarkLatency is from an append to the page with it.
func BenchmarkLatency(b *testing.B) {
	f := startFront(b)
	s := open(b, f.ConnectionString())
	n := 0
	b.ResetTimer()
	followTo(b, s, 0, func(p eventstore.Page) bool {
		if p.Live && len(p.Events) == 0 && n > 0 {
			return false // an event of the system
		}
		if n >= b.N {
			return true
		}
		must(b, s, stream("x"), eventstore.Revision(n-1), benchEvent())
		n++
		return false
	})
}
