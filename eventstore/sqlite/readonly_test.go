package sqlite

import (
	"errors"
	"fmt"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"rolewise/eventstore"
)

// readStream returns the data of a stream's events.
func readStream(t *testing.T, s eventstore.Store, id eventstore.StreamID) (data []string) {
	t.Helper()
	for e, err := range s.Read(t.Context(), id, 0) {
		if err != nil {
			t.Fatal(err)
		}
		data = append(data, string(e.Data))
	}
	return data
}

// TestReadOnly reads a log beside the process that writes it, whatever its indexes have and have not.
func TestReadOnly(t *testing.T) {
	for _, run := range []int{1, 7, 1000} {
		t.Run(fmt.Sprint("indexes after ", run), func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "events.db")
			writer := open(t, path, indexAfter(run))
			for i := range 40 {
				must(t, writer, role(fmt.Sprint(i%4)), eventstore.Revision(i/4-1), event(fmt.Sprint(i)))
			}
			r, err := OpenReadOnly(t.Context(), path)
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = r.Close() }()
			seen, written := 0, 40
			for page, err := range r.Follow(t.Context(), 0, eventstore.Filter{Plan: "acme"}) {
				if err != nil {
					t.Fatal(err)
				}
				seen += len(page.Events)
				if seen == 100 {
					break
				}
				for end := written + 20; seen == written && written < end; written++ { // the reader sees it without being told
					must(t, writer, role(fmt.Sprint(written%4)), eventstore.Revision(written/4-1), event(fmt.Sprint(written)))
				}
			}
			for i := range 4 {
				if got, want := readStream(t, r, role(fmt.Sprint(i))), readStream(t, writer, role(fmt.Sprint(i))); !reflect.DeepEqual(got, want) || len(want) != 25 {
					t.Errorf("stream %d: got %v, want %v", i, got, want)
				}
			}
			last, err := r.Before(t.Context(), 51, 3)
			if err != nil || len(last) != 3 || last[0].Position != 50 || last[2].Position != 48 || last[0].Stream != role("1") {
				t.Errorf("before 51: %+v, %v", last, err)
			}
			var invalid *eventstore.InvalidError
			if _, err := r.Append(t.Context(), role("x"), eventstore.NoStream, event("")); !errors.As(err, &invalid) {
				t.Errorf("an append got %v", err)
			}
		})
	}
}

// TestReadOnlyAfterRestore ends the reading of a log that is no longer the one that was opened.
func TestReadOnlyAfterRestore(t *testing.T) {
	path := manyPlans(t)
	to := filepath.Join(t.TempDir(), "copy.db")
	if err := Backup(t.Context(), path, to); err != nil {
		t.Fatal(err)
	}
	r, err := OpenReadOnly(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = r.Close() }()
	if _, err := Restore(t.Context(), to, path, nil); err != nil {
		t.Fatal(err)
	}
	for _, err := range r.Follow(t.Context(), 200, eventstore.Filter{}) {
		if err != nil {
			if !errors.Is(err, eventstore.ErrClosed) {
				t.Errorf("got %v", err)
			}
			return
		}
	}
}

func TestReadOnlyRefuses(t *testing.T) {
	refuses := func(path, why string) {
		t.Helper()
		r, err := OpenReadOnly(t.Context(), path)
		if err == nil {
			_ = r.Close()
		}
		if err == nil || !strings.Contains(err.Error(), why) {
			t.Errorf("got %v, want %q", err, why)
		}
	}
	refuses(filepath.Join(t.TempDir(), "none.db"), "there is no event store: give the path of one")
	path := manyPlans(t)
	execute(t, path, "DELETE FROM events WHERE position > 190")
	refuses(path, "ends at position 190")
}
