package kurrenttest_test

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"
	"github.com/google/uuid"
	"pgregory.net/rapid"

	"rolewise/eventstore/kurrenttest"
)

// heard writes down what a subscription delivers, up to a text; each of its messages as one text.
func heard(t testing.TB, subscription *esdb.Subscription, until string) []string {
	t.Helper()
	timer := time.AfterFunc(time.Minute, func() { _ = subscription.Close() }) // ends what hangs
	defer timer.Stop()
	var list []string
	for {
		e := subscription.Recv()
		switch {
		case e.EventAppeared != nil:
			list = append(list, fmt.Sprintf("%s@%d", e.EventAppeared.OriginalEvent().StreamID, e.EventAppeared.OriginalEvent().EventNumber))
		case e.CheckPointReached != nil:
			p, _ := kurrenttest.StorePosition(e.CheckPointReached.Commit)
			list = append(list, fmt.Sprint("checkpoint ", p))
		case e.CaughtUp != nil:
			list = append(list, "caught up")
		case e.FellBehind != nil:
			list = append(list, "fell behind")
		case e.SubscriptionDropped != nil:
			list = append(list, "dropped: "+e.SubscriptionDropped.Error.Error())
			if strings.HasPrefix(until, "dropped") {
				return list
			}
			t.Fatalf("waiting for %q after %q", until, list)
		}
		if list[len(list)-1] == until {
			return list
		}
	}
}

// want compares what was heard, apart from caught-up and fell-behind messages between.
func want(t testing.TB, got []string, texts ...string) {
	t.Helper()
	if !slices.Equal(got, texts) {
		t.Errorf("heard %q, want %q", got, texts)
	}
}

func TestSubscribeToStream(t *testing.T) {
	client := connect(t, startFront(t, openStore(t)).ConnectionString())
	subscribe := func(t *testing.T, stream string, from esdb.StreamPosition) *esdb.Subscription {
		s, err := client.SubscribeToStream(t.Context(), stream, esdb.SubscribeToStreamOptions{From: from})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = s.Close() })
		return s
	}
	for name, tt := range map[string]struct {
		from    esdb.StreamPosition
		history []string
	}{
		"start":       {esdb.Start{}, []string{"s@0", "s@1", "s@2", "caught up"}},
		"a revision":  {esdb.Revision(0), []string{"s@1", "s@2", "caught up"}}, // exclusive
		"the last":    {esdb.Revision(2), []string{"caught up"}},
		"end":         {esdb.End{}, []string{"caught up"}},
		"not given":   {nil, []string{"caught up"}},
		"far too far": {esdb.Revision(1 << 40), []string{"caught up"}},
	} {
		t.Run("from "+name, func(t *testing.T) {
			stream := "s" + name
			appendTo(t, client, stream, esdb.NoStream{}, some(3, "A")...)
			appendTo(t, client, stream+"-longer", esdb.NoStream{}, some(3, "A")...)
			s := subscribe(t, stream, tt.from)
			for i := range tt.history {
				tt.history[i] = strings.Replace(tt.history[i], "s@", stream+"@", 1)
			}
			want(t, heard(t, s, "caught up"), tt.history...)
			if name == "far too far" {
				return
			}
			appendTo(t, client, stream+"-longer", esdb.Any{}, some(1, "A")...)
			appendTo(t, client, stream, esdb.Revision(2), some(2, "A")...)
			want(t, heard(t, s, stream+"@4"), stream+"@3", stream+"@4")
		})
	}
	t.Run("one that does not exist yet", func(t *testing.T) {
		s := subscribe(t, "later", esdb.Start{})
		appendTo(t, client, "later", esdb.NoStream{}, some(2, "A")...)
		want(t, heard(t, s, "caught up"), "later@0", "later@1", "caught up")
	})
	t.Run("a stream of the system", func(t *testing.T) {
		s := subscribe(t, "$stats-127.0.0.1:2113", esdb.Start{})
		got := heard(t, s, "caught up")
		appendTo(t, client, "more", esdb.NoStream{}, some(5, "A")...)
		next := fmt.Sprintf("$stats-127.0.0.1:2113@%d", len(got)-1)
		want(t, heard(t, s, next), next)
	})
}

func TestSubscribeToAll(t *testing.T) {
	front := startFront(t, openStore(t), kurrenttest.SystemEvents(0))
	client := connect(t, front.ConnectionString())
	var third esdb.Position
	for i := range 5 {
		result := appendTo(t, client, "s", esdb.Any{}, some(1, "A")...)
		if i == 2 {
			third = esdb.Position{Commit: result.CommitPosition, Prepare: result.PreparePosition}
		}
	}
	subscribe := func(t *testing.T, from esdb.AllPosition) *esdb.Subscription {
		s, err := client.SubscribeToAll(t.Context(), esdb.SubscribeToAllOptions{From: from})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = s.Close() })
		return s
	}
	fromStart, fromThird, fromEnd := subscribe(t, esdb.Start{}), subscribe(t, third), subscribe(t, esdb.End{})
	want(t, heard(t, fromStart, "caught up"), "s@0", "s@1", "s@2", "s@3", "s@4", "caught up")
	want(t, heard(t, fromThird, "caught up"), "s@3", "s@4", "caught up") // exclusive
	want(t, heard(t, fromEnd, "caught up"), "caught up")
	appendTo(t, client, "t", esdb.NoStream{}, some(2, "A")...)
	for _, s := range []*esdb.Subscription{fromStart, fromThird, fromEnd} {
		want(t, heard(t, s, "t@1"), "t@0", "t@1")
	}
}

func TestFilters(t *testing.T) {
	client := connect(t, startFront(t, openStore(t)).ConnectionString())
	appendTo(t, client, "role-acme.a", esdb.NoStream{}, some(2, "RolePublished")...)
	appendTo(t, client, "member-acme.a", esdb.NoStream{}, some(2, "MemberJoined")...)
	appendTo(t, client, "role-acme.b", esdb.NoStream{}, some(2, "RoleRetired")...)
	appendTo(t, client, "last", esdb.NoStream{}, some(1, "Last")...)
	for name, tt := range map[string]struct {
		filter esdb.SubscriptionFilter
		want   []string
	}{
		"stream prefix":       {esdb.SubscriptionFilter{Type: esdb.StreamFilterType, Prefixes: []string{"role-", "last"}}, []string{"role-acme.a@0", "role-acme.a@1", "role-acme.b@0", "role-acme.b@1", "last@0"}},
		"stream regex":        {esdb.SubscriptionFilter{Type: esdb.StreamFilterType, Regex: `acme\.a$|last`}, []string{"role-acme.a@0", "role-acme.a@1", "member-acme.a@0", "member-acme.a@1", "last@0"}},
		"type prefix":         {esdb.SubscriptionFilter{Type: esdb.EventFilterType, Prefixes: []string{"Member", "Last"}}, []string{"member-acme.a@0", "member-acme.a@1", "last@0"}},
		"type regex":          {esdb.SubscriptionFilter{Type: esdb.EventFilterType, Regex: "^(RoleRetired|Last)$"}, []string{"role-acme.b@0", "role-acme.b@1", "last@0"}},
		"no system events":    {*esdb.ExcludeSystemEventsFilter(), []string{"role-acme.a@0", "role-acme.a@1", "member-acme.a@0", "member-acme.a@1", "role-acme.b@0", "role-acme.b@1", "last@0"}},
		"system streams only": {esdb.SubscriptionFilter{Type: esdb.StreamFilterType, Regex: `^\$|^last`}, []string{"$$$stats-127.0.0.1:2113@0", "$user-admin@0", "$users@0", "$stats-127.0.0.1:2113@0", "last@0"}},
	} {
		t.Run(name, func(t *testing.T) {
			s, err := client.SubscribeToAll(t.Context(), esdb.SubscribeToAllOptions{From: esdb.Start{}, Filter: &tt.filter, MaxSearchWindow: 10_000})
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			want(t, heard(t, s, "last@0"), tt.want...)
		})
	}
}

// A checkpoint comes after each interval of events looked at, whether they pass or not, in history and live.
func TestCheckpoints(t *testing.T) {
	client := connect(t, startFront(t, openStore(t), kurrenttest.SystemEvents(0)).ConnectionString())
	appendTo(t, client, "noise", esdb.NoStream{}, some(10, "A")...)
	appendTo(t, client, "s", esdb.NoStream{}, some(1, "A")...) // position 11
	s, err := client.SubscribeToAll(t.Context(), esdb.SubscribeToAllOptions{
		From: esdb.Start{}, MaxSearchWindow: 2, CheckpointInterval: 2,
		Filter: &esdb.SubscriptionFilter{Type: esdb.StreamFilterType, Prefixes: []string{"s"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	want(t, heard(t, s, "caught up"), "checkpoint 4", "checkpoint 8", "s@0", "caught up")
	appendTo(t, client, "s", esdb.Revision(0), some(1, "A")...) // 12
	appendTo(t, client, "noise", esdb.Any{}, some(3, "A")...)   // 15
	appendTo(t, client, "s", esdb.Revision(1), some(2, "A")...) // 16, 17
	want(t, heard(t, s, "s@3"), "s@1", "checkpoint 12", "s@2", "checkpoint 16", "s@3")
}

// A subscription resumed from any event or checkpoint goes on without a gap or an overlap.
func TestResume(t *testing.T) {
	client := connect(t, startFront(t, openStore(t), kurrenttest.StrictPositions()).ConnectionString())
	var total []string
	for i := range 30 {
		stream := fmt.Sprint("s", i%3)
		appendTo(t, client, stream, esdb.Any{}, esdb.EventData{EventID: uuid.New(), EventType: "A"})
		total = append(total, fmt.Sprintf("%s@%d", stream, i/3))
	}
	rapid.Check(t, func(rt *rapid.T) {
		var got []string
		var from esdb.AllPosition = esdb.Start{}
		for len(got) < len(total) {
			s, err := client.SubscribeToAll(t.Context(), esdb.SubscribeToAllOptions{
				From: from, Filter: esdb.ExcludeSystemEventsFilter(), MaxSearchWindow: rapid.IntRange(1, 4).Draw(rt, "window"),
			})
			if err != nil {
				rt.Fatal(err)
			}
			for range rapid.IntRange(1, 12).Draw(rt, "messages") {
				e := s.Recv()
				switch {
				case e.EventAppeared != nil:
					o := e.EventAppeared.OriginalEvent()
					got, from = append(got, fmt.Sprintf("%s@%d", o.StreamID, o.EventNumber)), o.Position
				case e.CheckPointReached != nil:
					from = *e.CheckPointReached
				case e.SubscriptionDropped != nil:
					rt.Fatal(e.SubscriptionDropped.Error)
				}
				if len(got) == len(total) || e.CaughtUp != nil {
					break
				}
			}
			_ = s.Close()
		}
		if !slices.Equal(got, total) {
			rt.Fatalf("heard %v", got)
		}
	})
}

// Whoever subscribes in the midst of appends misses nothing and hears nothing twice.
func TestSubscribeWhileAppending(t *testing.T) {
	front := startFront(t, openStore(t), kurrenttest.SystemEvents(3))
	client := connect(t, front.ConnectionString())
	const total, subscribers = 400, 24
	ctx := patience(t)
	appended := make(chan int, total)
	var wg sync.WaitGroup
	wg.Go(func() {
		defer close(appended)
		for i := range total {
			if _, err := client.AppendToStream(ctx, "s", esdb.AppendToStreamOptions{ExpectedRevision: esdb.Any{}}, some(1, "A")...); err != nil {
				t.Error(err)
				return
			}
			appended <- i
		}
	})
	for n := range subscribers {
		for range total / 2 / subscribers { // spread over the first half
			<-appended
		}
		wg.Go(func() {
			var s *esdb.Subscription
			var err error
			if n%2 == 0 {
				s, err = client.SubscribeToStream(ctx, "s", esdb.SubscribeToStreamOptions{From: esdb.Start{}})
			} else {
				s, err = client.SubscribeToAll(ctx, esdb.SubscribeToAllOptions{From: esdb.Start{}})
			}
			if err != nil {
				t.Error(err)
				return
			}
			defer s.Close()
			for next := uint64(0); next < total; {
				e := s.Recv()
				if e.SubscriptionDropped != nil {
					t.Errorf("subscriber %d at %d: %v", n, next, e.SubscriptionDropped.Error)
					return
				}
				if e.EventAppeared == nil || e.EventAppeared.OriginalEvent().StreamID != "s" {
					continue
				}
				if got := e.EventAppeared.OriginalEvent().EventNumber; got != next {
					t.Errorf("subscriber %d heard %d, want %d", n, got, next)
					return
				}
				next++
			}
		})
	}
	wg.Wait()
}
