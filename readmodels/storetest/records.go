package storetest

import (
	"context"
	"errors"
	"strconv"
	"sync"
	"testing"

	"rolewise/readmodels"
)

func testRecords(t *testing.T, s *suite) {
	name, neighbour := s.scope.String(), NewScope().String()
	set := func(name string, was, is []byte, want bool) {
		t.Helper()
		if done, err := s.SetRecord(s.ctx, name, was, is); err != nil || done != want {
			t.Fatalf("%q in the place of %q: %t, %v, want %t", is, was, done, err, want)
		}
	}
	stands := func(name, want string) {
		t.Helper()
		all, err := s.Records(s.ctx)
		if err != nil {
			t.Fatal(err)
		}
		got, some := all[name]
		if string(got) != want || some != (want != "") {
			t.Fatalf("%s is %q, %t, want %q", name, got, some, want)
		}
	}
	stands(name, "")
	set(name, []byte("a"), []byte("b"), false) // there is none
	stands(name, "")
	set(name, nil, nil, true)
	stands(name, "")

	value := []byte("a\x00{\"} \xff")
	set(name, nil, value, true)
	value[0] = 'X' // the store has its own copy
	stands(name, "a\x00{\"} \xff")
	set(neighbour, []byte{}, []byte("n"), true) // empty is none
	set(name, nil, []byte("b"), false)
	set(name, []byte("other"), []byte("b"), false)
	set(name, []byte("a\x00{\"} \xff"), []byte("b"), true)
	stands(name, "b")
	all, err := s.Records(s.ctx)
	if err != nil {
		t.Fatal(err)
	}
	all[name] = []byte("changed by the reader")
	stands(name, "b")
	set(name, []byte("b"), []byte{}, true)
	stands(name, "")
	stands(neighbour, "n")
	set(neighbour, []byte("n"), nil, true)
	stands(neighbour, "")
}

// testRecordRace counts in a record, by several at once: none of what they were told was done is lost.
func testRecordRace(t *testing.T, s *suite) {
	const writers, each = 8, 25
	name := s.scope.String()
	add := func() error {
		for done := false; !done; {
			all, err := s.Records(s.ctx)
			if err != nil {
				return err
			}
			n, _ := strconv.Atoi(string(all[name]))
			if done, err = s.SetRecord(s.ctx, name, all[name], []byte(strconv.Itoa(n+1))); err != nil {
				return err
			}
		}
		return nil
	}
	errs := make([]error, writers)
	var group sync.WaitGroup
	for w := range errs {
		group.Go(func() {
			for range each {
				errs[w] = errors.Join(errs[w], add())
			}
		})
	}
	group.Wait()
	all, err := s.Records(s.ctx)
	if err := errors.Join(append(errs, err)...); err != nil {
		t.Fatal(err)
	}
	equal(t, "count", string(all[name]), strconv.Itoa(writers*each))
	if done, err := s.SetRecord(s.ctx, name, all[name], nil); err != nil || !done {
		t.Fatalf("%t, %v", done, err)
	}
}

// testBuilds has two builds by the same rules stand beside each other, and one of them go.
func testBuilds(t *testing.T, s *suite) {
	numbered := *s
	numbered.scope.Number = 1795323600
	for i, each := range []*suite{s, &numbered} {
		b := each.batch(0, 5)
		b.Checkpoint.StoreID = "store"
		b.Put[alice], b.Add = []byte{byte('a' + i)}, []readmodels.Entry{{Index: names, Value: string(rune('a' + i))}}
		each.commit(t, b)
	}
	equal(t, "documents of the first", s.get(t, alice), []string{"a"})
	equal(t, "documents of the other", numbered.get(t, alice), []string{"b"})
	ctx, cancel := context.WithCancel(s.ctx)
	cancel()
	if err := s.Wait(ctx, s.scope.Of(readmodels.Build{Version: s.scope.Version, Number: 7}), 1); !errors.Is(err, context.Canceled) {
		t.Errorf("a build that there is not has been reached: %v", err)
	}
	for _, gone := range []*suite{s, &numbered} {
		if err := gone.Drop(gone.ctx, gone.scope, readmodels.Checkpoint{StoreID: "store"}); err != nil {
			t.Fatal(err)
		}
		equal(t, "documents that went", gone.get(t, alice), []string{"<none>"})
		if gone == s {
			equal(t, "documents that stay", numbered.get(t, alice), []string{"b"})
			equalTexts(t, "entries that stay", numbered.entries(t, names, readmodels.Range{}), []string{"b"})
		}
	}
}
