package shred

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/google/uuid"
	"go.uber.org/goleak"

	"rolewise/eventstore"
	"rolewise/eventstore/sqlite"
	"rolewise/eventstore/storetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var tagged = Fields{
	"MemberInvited": {
		{Path: "name", Subject: "member"}, {Path: "email", Subject: "member"}, {Path: "profile.phones", Subject: "member"},
	},
	"MembersNoted": {{Path: "notes.text", Subject: "about.member"}},
}

func openKeys(t testing.TB, path string) *Keys {
	t.Helper()
	k, err := OpenKeys(t.Context(), path)
	if err != nil {
		t.Fatalf("open keys: %v", err)
	}
	t.Cleanup(func() { _ = k.Close() })
	return k
}

// fixture is a store with encryption over one without.
type fixture struct {
	eventstore.Store
	inner eventstore.Store
	keys  *Keys
	dir   string
}

func newFixture(t *testing.T) *fixture {
	t.Helper()
	f := &fixture{dir: t.TempDir()}
	f.keys = openKeys(t, filepath.Join(f.dir, "keys.db"))
	inner, err := sqlite.Open(t.Context(), filepath.Join(f.dir, "events.db"))
	if err != nil {
		t.Fatalf("open: %v", err)
	}
	t.Cleanup(func() { _ = inner.Close() })
	f.inner, f.Store = inner, New(inner, f.keys, tagged)
	return f
}

func member(id string) eventstore.StreamID {
	return eventstore.StreamID{Category: "member", Plan: "acme", ID: id}
}

func invited(id, name string) eventstore.Event {
	return eventstore.Event{ID: uuid.New(), Type: "MemberInvited", Metadata: []byte("{}"), Data: []byte(fmt.Sprintf(
		` { "member":%q, "name" : %q,"email":"%s@example.org", "profile":{"phones":["+49 %s",null],"n":1.50} }`+"\n", id, name, name, name))}
}

func (f *fixture) must(t *testing.T, id eventstore.StreamID, expected eventstore.Revision, events ...eventstore.Event) eventstore.Position {
	t.Helper()
	p, err := f.Append(t.Context(), id, expected, events...)
	if err != nil {
		t.Fatalf("append: %v", err)
	}
	return p
}

func read(t *testing.T, s eventstore.Store, id eventstore.StreamID) []eventstore.Recorded {
	t.Helper()
	var all []eventstore.Recorded
	for e, err := range s.Read(t.Context(), id, 0) {
		if err != nil {
			t.Fatalf("read: %v", err)
		}
		all = append(all, e)
	}
	return all
}

func TestContract(t *testing.T) {
	keys := sync.Map{}
	wrap := func(t *testing.T, dir string) eventstore.Store {
		k, _ := keys.LoadOrStore(dir, openKeys(t, filepath.Join(dir, "keys.db")))
		inner, err := sqlite.Open(t.Context(), filepath.Join(dir, "events.db"))
		if err != nil {
			t.Fatalf("open: %v", err)
		}
		s := New(inner, k.(*Keys), tagged)
		keys.Store(s, dir)
		t.Cleanup(func() { _ = s.Close() })
		return s
	}
	storetest.Run(t, func(t *testing.T) eventstore.Store { return wrap(t, t.TempDir()) },
		storetest.Reopen(func(t *testing.T, s eventstore.Store) eventstore.Store {
			dir, _ := keys.Load(s)
			k, _ := keys.LoadAndDelete(dir)
			if err := errors.Join(s.Close(), k.(*Keys).Close()); err != nil {
				t.Fatalf("close: %v", err)
			}
			return wrap(t, dir.(string))
		}))
}

func TestRoundTrip(t *testing.T) {
	f := newFixture(t)
	want := []eventstore.Event{
		invited("m1", "Ada"),
		{ID: uuid.New(), Type: "Other", Data: []byte(`not JSON, "name":"x"`)},
		{ID: uuid.New(), Type: "MembersNoted", Data: []byte(`{"notes":[{"text":{"enc":"faked"}},{"text":"b"},{}],"about":{"member":"m2"}}`)},
		{ID: uuid.New(), Type: "MemberInvited", Data: []byte(`{"name":null,"member":null}`)},
		{ID: uuid.New(), Type: "MemberInvited", Data: []byte(`{"Name":"a","name":"b","name":"c","member":"m1"}`)},
	}
	f.must(t, member("m1"), eventstore.NoStream, want...)
	check := func(got []eventstore.Recorded) {
		t.Helper()
		if len(got) != len(want) {
			t.Fatalf("got %d events, want %d", len(got), len(want))
		}
		for i := range want {
			if !bytes.Equal(got[i].Data, want[i].Data) || got[i].ID != want[i].ID {
				t.Errorf("event %d: got %q, want %q", i, got[i].Data, want[i].Data)
			}
		}
	}
	check(read(t, f, member("m1")))
	for page, err := range f.Follow(t.Context(), 0, eventstore.Filter{}) {
		if err != nil || !page.Live {
			t.Fatalf("follow: %+v, %v", page, err)
		}
		check(page.Events)
		break
	}
	stored := read(t, f.inner, member("m1"))
	for _, clear := range []string{"Ada", "+49", `"faked"`, `"a"`, `"b"`, `"c"`} {
		for _, i := range []int{0, 2, 4} {
			if bytes.Contains(stored[i].Data, []byte(clear)) {
				t.Errorf("event %d is stored with %q in clear: %s", i, clear, stored[i].Data)
			}
		}
	}
	var decoded struct {
		Name    struct{ Enc []byte }
		Profile struct{ Phones struct{ Enc []byte } }
	}
	if err := json.Unmarshal(stored[0].Data, &decoded); err != nil || len(decoded.Name.Enc) != 12+len(`"Ada"`)+16 ||
		len(decoded.Profile.Phones.Enc) == 0 {
		t.Errorf("stored as %s (%v)", stored[0].Data, err)
	}
}

// TestNothingInClear looks for personal values in every byte of every file.
func TestNothingInClear(t *testing.T) {
	f := newFixture(t)
	for i := range 200 {
		id := fmt.Sprintf("m%d", i)
		f.must(t, member(id), eventstore.NoStream, invited(id, fmt.Sprintf("Secretive-%d", i)))
	}
	f.must(t, member("control"), eventstore.NoStream,
		eventstore.Event{ID: uuid.New(), Type: "Other", Data: []byte("Control-Text")})
	check := func(when string) {
		t.Helper()
		all := contents(t, f.dir)
		if !bytes.Contains(all, []byte("Control-Text")) {
			t.Fatalf("%s: the search finds nothing at all", when)
		}
		if bytes.Contains(all, []byte("Secretive")) || bytes.Contains(all, []byte("example.org")) {
			t.Errorf("%s: a personal value is in the files", when)
		}
	}
	check("open")
	if err := f.Close(); err != nil {
		t.Fatalf("close: %v", err)
	}
	check("closed")
}

// contents returns the bytes of all files of a folder.
func contents(t *testing.T, dir string) []byte {
	t.Helper()
	files, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var all []byte
	for _, file := range files {
		b, err := os.ReadFile(filepath.Join(dir, file.Name()))
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, b...)
	}
	return all
}

func TestErasure(t *testing.T) {
	t.Run("AUD-6 a destroyed key makes the fields null and leaves the rest", func(t *testing.T) {
		f := newFixture(t)
		both := []eventstore.Event{invited("m1", "Ada"), invited("m2", "Bob")}
		p := f.must(t, member("x"), eventstore.NoStream, both...)
		before := read(t, f.inner, member("x"))
		if err := f.keys.Destroy(t.Context(), "acme", "m1"); err != nil {
			t.Fatalf("destroy: %v", err)
		}
		got := read(t, f, member("x"))
		var data map[string]any
		if err := json.Unmarshal(got[0].Data, &data); err != nil {
			t.Fatalf("%s: %v", got[0].Data, err)
		}
		if data["name"] != nil || data["email"] != nil || data["member"] != "m1" || data["profile"].(map[string]any)["n"] != 1.5 {
			t.Errorf("erased member reads %s", got[0].Data)
		}
		if !bytes.Equal(got[1].Data, both[1].Data) {
			t.Errorf("another member reads %s", got[1].Data)
		}
		for i, e := range read(t, f.inner, member("x")) {
			if !bytes.Equal(e.Data, before[i].Data) {
				t.Errorf("stored event %d has changed", i)
			}
		}
		if again := f.must(t, member("x"), eventstore.NoStream, both...); again != p {
			t.Errorf("a repeat after the erasure returned %s, not %s", again, p)
		}
	})
	t.Run("AUD-6 an erased person never gets a key again", func(t *testing.T) {
		f := newFixture(t)
		f.must(t, member("m1"), eventstore.NoStream, invited("m1", "Ada"))
		for _, id := range []string{"m1", "never seen"} {
			if err := f.keys.Destroy(t.Context(), "acme", id); err != nil {
				t.Fatalf("destroy: %v", err)
			}
			if err := f.keys.Destroy(t.Context(), "acme", id); err != nil {
				t.Fatalf("destroy again: %v", err)
			}
			if err := f.keys.Close(); err != nil {
				t.Fatal(err)
			}
			f.keys = openKeys(t, filepath.Join(f.dir, "keys.db"))
			f.Store = New(f.inner, f.keys, tagged)
			late := member("late " + id)
			f.must(t, late, eventstore.NoStream, invited(id, "Ada"))
			if stored := read(t, f.inner, late); bytes.Contains(stored[0].Data, []byte("enc")) || bytes.Contains(stored[0].Data, []byte("Ada")) {
				t.Errorf("stored %s", stored[0].Data)
			}
			// Another plan's member of the same id is another person.
			other := eventstore.StreamID{Category: "member", Plan: "zeta", ID: "late " + id}
			want := invited(id, "Ada")
			f.must(t, other, eventstore.NoStream, want)
			if got := read(t, f, other); !bytes.Equal(got[0].Data, want.Data) {
				t.Errorf("another plan's member reads %s", got[0].Data)
			}
		}
	})
	t.Run("AUD-6 the key is gone from the file", func(t *testing.T) {
		dir := t.TempDir()
		k := openKeys(t, filepath.Join(dir, "keys.db"))
		const people = 1000
		for i := range people {
			if _, err := k.provide(t.Context(), "acme", uuid.NewString()); err != nil {
				t.Fatal(err)
			}
			if i%200 == 0 {
				if err := k.settle(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
		}
		type row struct {
			id  string
			key []byte
		}
		var all []row
		rows, err := k.db.QueryContext(t.Context(), "SELECT person, key FROM people")
		if err != nil {
			t.Fatal(err)
		}
		for rows.Next() {
			var r row
			if err := rows.Scan(&r.id, &r.key); err != nil {
				t.Fatal(err)
			}
			all = append(all, r)
		}
		if err := rows.Err(); err != nil || len(all) != people {
			t.Fatalf("%d people, %v", len(all), err)
		}
		for i := 0; i < people; i += 100 {
			if err := k.Destroy(t.Context(), "acme", all[i].id); err != nil {
				t.Fatal(err)
			}
		}
		left := contents(t, dir)
		for i, r := range all {
			if found, gone := bytes.Contains(left, r.key), i%100 == 0; found == gone {
				t.Fatalf("key %d: destroyed %v, in the file %v (%s…)", i, gone, found, hex.EncodeToString(r.key[:4]))
			}
		}
	})
}

func TestDamage(t *testing.T) {
	f := newFixture(t)
	f.must(t, member("m1"), eventstore.NoStream, invited("m1", "Ada"), invited("m1", "Eve"))
	stored := read(t, f.inner, member("m1"))
	damaged := func(change func(b []byte) []byte) eventstore.Recorded {
		e := stored[0]
		e.Data = change(bytes.Clone(e.Data))
		return e
	}
	at := bytes.Index(stored[0].Data, []byte(opening)) + len(opening)
	moved := stored[1]
	moved.Data = stored[0].Data
	elsewhere := stored[0]
	elsewhere.Stream.ID = "m2"
	swapped := damaged(func(b []byte) []byte {
		edits, err := New(f.inner, f.keys, tagged).(*store).edits("MemberInvited", b, func(span, []byte, string) ([]byte, error) {
			return b[at-len(opening) : at-len(opening)+bytes.Index(b[at-len(opening):], []byte(ending))+2], nil
		})
		if err != nil {
			t.Fatal(err)
		}
		b, _ = splice(b, edits)
		return b
	})
	for name, e := range map[string]eventstore.Recorded{
		"a changed byte": damaged(func(b []byte) []byte { b[at+20] ^= 1; return b }),
		"not base64":     damaged(func(b []byte) []byte { b[at+20] = '!'; return b }),
		"too short": damaged(func(b []byte) []byte {
			return append(append(b[:at:at], b[at:at+4]...), b[at+bytes.IndexByte(b[at:], '"'):]...)
		}),
		"another event":   moved,
		"another stream":  elsewhere,
		"another field":   swapped,
		"another subject": damaged(func(b []byte) []byte { return bytes.Replace(b, []byte(`"m1"`), []byte(`"m2"`), 1) }),
		"not even JSON":   damaged(func(b []byte) []byte { return b[:len(b)-4] }),
	} {
		t.Run(name, func(t *testing.T) {
			if name == "another subject" { // who has a key of their own
				f.must(t, member("m2"), eventstore.NoStream, invited("m2", "Bob"))
			}
			s := New(replaying{Store: f.inner, events: []eventstore.Recorded{e}}, f.keys, tagged)
			for _, err := range s.Read(t.Context(), e.Stream, 0) {
				if err == nil || strings.Contains(err.Error(), "Ada") {
					t.Errorf("read: %v", err)
				}
			}
			for _, err := range s.Follow(t.Context(), 0, eventstore.Filter{}) {
				if err == nil {
					t.Error("followed without an error")
				}
			}
		})
	}
}

// replaying is a store whose disk has been tampered with.
type replaying struct {
	eventstore.Store
	events []eventstore.Recorded
}

func (r replaying) Read(context.Context, eventstore.StreamID, eventstore.Revision) iter.Seq2[eventstore.Recorded, error] {
	return func(yield func(eventstore.Recorded, error) bool) {
		for _, e := range r.events {
			if !yield(e, nil) {
				return
			}
		}
	}
}

func (r replaying) Follow(context.Context, eventstore.Position, eventstore.Filter) iter.Seq2[eventstore.Page, error] {
	return func(yield func(eventstore.Page, error) bool) { yield(eventstore.Page{Events: r.events}, nil) }
}

func TestRefusals(t *testing.T) {
	f := newFixture(t)
	for name, data := range map[string]string{
		"no subject":     `{"name":"Ada"}`,
		"empty subject":  `{"name":"Ada","member":""}`,
		"two subjects":   `{"name":"Ada","member":"a","Member":"b"}`,
		"number subject": `{"name":"Ada","member":1}`,
		"no JSON":        `name: Ada`,
		"trailing data":  `{"name":"Ada","member":"m1"} {"name":"Eve"}`,
		"nothing":        ``,
	} {
		t.Run(name, func(t *testing.T) {
			_, err := f.Append(t.Context(), member("m1"), eventstore.NoStream,
				eventstore.Event{ID: uuid.New(), Type: "MemberInvited", Data: []byte(data)})
			var invalid *eventstore.InvalidError
			if !errors.As(err, &invalid) || strings.Contains(err.Error(), "Ada") {
				t.Errorf("got %v, want an InvalidError without the value", err)
			}
		})
	}
}

// TestPages follows a mixture of tagged and other events and expects the pages of the inner store.
func TestPages(t *testing.T) {
	f := newFixture(t)
	for i := range 100 {
		kind := []string{"Other", "MemberInvited"}[i%2]
		e := invited("m1", fmt.Sprint(i))
		e.Type = kind
		f.must(t, member("m1"), eventstore.Revision(i-1), e)
	}
	filter := eventstore.Filter{Types: []string{"MemberInvited"}, PageSize: 7}
	collect := func(s eventstore.Store) (pages []eventstore.Page) {
		for page, err := range s.Follow(t.Context(), 0, filter) {
			if err != nil {
				t.Fatalf("follow: %v", err)
			}
			if pages = append(pages, page); page.Live {
				return pages
			}
		}
		return pages
	}
	plain, sealed := collect(f), collect(f.inner)
	if len(plain) != len(sealed) || len(plain) < 7 {
		t.Fatalf("%d pages, the inner store gives %d", len(plain), len(sealed))
	}
	for i := range plain {
		a, b := plain[i], sealed[i]
		if a.After != b.After || a.Through != b.Through || a.Head != b.Head || a.Live != b.Live || len(a.Events) != len(b.Events) {
			t.Errorf("page %d is %+v, the inner store's %+v", i, a, b)
		}
		for j := range b.Events {
			if encryptedIn, decrypted := bytes.Contains(b.Events[j].Data, []byte(opening)), bytes.Contains(a.Events[j].Data, []byte("example.org")); !encryptedIn || !decrypted {
				t.Errorf("event at %s: encrypted inside %v, decrypted outside %v", b.Events[j].Position, encryptedIn, decrypted)
			}
		}
	}
}

// TestPagesOfOthers proves that a page which the inner store may share is copied before it is decrypted.
func TestPagesOfOthers(t *testing.T) {
	f := newFixture(t)
	want := invited("m1", "Ada")
	f.must(t, member("m1"), eventstore.NoStream, want)
	shared := read(t, f.inner, member("m1"))
	before := bytes.Clone(shared[0].Data)
	s := New(replaying{Store: f.inner, events: shared}, f.keys, tagged)
	for page, err := range s.Follow(t.Context(), 0, eventstore.Filter{}) {
		if err != nil || !bytes.Equal(page.Events[0].Data, want.Data) {
			t.Errorf("followed %q (%v)", page.Events[0].Data, err)
		}
	}
	if !bytes.Equal(shared[0].Data, before) {
		t.Error("the inner store's page was changed")
	}
}
