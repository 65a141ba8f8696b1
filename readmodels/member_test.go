package readmodels_test

import (
	"bytes"
	"context"
	"encoding/hex"
	"reflect"
	"testing"
	"time"

	"pgregory.net/rapid"

	"rolewise/readmodels"
	"rolewise/readmodels/memory"
)

var someTexts = []string{
	"", "senior", "direct", "Ada Lovelace", "ü", "\x00\xff", "019ab3d9-9850-77f1-93b3-f8eb333f738c", "019AB3D9-9850-77f1-93b3-f8eb333f738c",
	"019ab3d9x9850-77f1-93b3-f8eb333f738c", "019ab3d9-9850-77f1-93b3-f8eb333f738g", "team:019ab3d9-9850-77f1-93b3-f8eb333f738c",
	"team:019ab3d9-9850-77f1-93b3-f8eb333f73-c", "room:019ab3d9-9850-77f1-93b3-f8eb333f738c", "SkillIQMeasured", "team:x",
}

func drawText(t *rapid.T) string { return rapid.SampledFrom(someTexts).Draw(t, "text") }

func drawTime(t *rapid.T) time.Time {
	return time.Unix(rapid.Int64Range(-62135596800, 253402300799).Draw(t, "seconds"), rapid.Int64Range(0, 999_999_999).Draw(t, "nanos")).UTC()
}

// drawMember makes a member by the same calls as the rules do.
func drawMember(t *rapid.T) *readmodels.MemberState {
	m := &readmodels.MemberState{Name: drawText(t), Email: drawText(t)}
	for range rapid.IntRange(0, 3).Draw(t, "teams") {
		m.Teams = append(m.Teams, drawText(t))
		m.Direct = append(m.Direct, drawText(t))
	}
	for range rapid.IntRange(0, 8).Draw(t, "results") {
		skill := drawText(t)
		m.Measure(skill, readmodels.Result{
			Session: drawText(t), Score: rapid.IntRange(0, 300).Draw(t, "score"), Level: drawText(t), MeasuredAt: drawTime(t),
		})
		if rapid.Bool().Draw(t, "invalid") {
			if err := m.Of(skill).Invalidate(drawText(t)); err != nil {
				t.Fatal(err)
			}
		}
		m.TakeBeta(drawText(t), drawTime(t))
	}
	for range rapid.IntRange(0, 4).Draw(t, "standings") {
		s := m.EditIn(drawText(t))
		s.Paths = append(s.Paths, drawText(t))
		s.Selected, s.State, s.Level, s.Rule = drawText(t), drawText(t), drawText(t), drawText(t)
		s.Hidden = rapid.Bool().Draw(t, "hidden")
		s.Version, s.Pinned, s.Done, s.Required = rapid.IntRange(0, 1000).Draw(t, "n"), 1, 2, 3
		s.Since = readmodels.CauseRecord{Position: 77, Type: drawText(t), Time: drawTime(t)}
		taken := 0
		if len(m.Results) > 0 {
			taken = m.Results[0].Taken()
		}
		m.KeepVisit(drawText(t), 3, drawText(t), 2, []readmodels.VisitedSkill{{Status: drawText(t), Taken: taken}})
	}
	return m
}

func TestMemberIsPacked(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := drawMember(t)
		packed, err := m.AppendBinary(nil)
		if err != nil {
			t.Fatal(err)
		}
		var got readmodels.MemberState
		if err := got.UnmarshalBinary(packed); err != nil {
			t.Fatal(err)
		}
		again, err := got.AppendBinary(nil)
		if err != nil || !bytes.Equal(again, packed) {
			t.Fatalf("packed again it differs: %v\n%x\n%x", err, packed, again)
		}
		if !reflect.DeepEqual(got.Standings, m.Standings) && len(m.Standings) > 0 || !reflect.DeepEqual(got.Beta, m.Beta) || got.Name != m.Name {
			t.Fatalf("unpacked it differs:\n%+v\n%+v", got, m)
		}
		for i := range m.Results {
			if !reflect.DeepEqual(got.Results[i].Counts(), m.Results[i].Counts()) {
				t.Fatalf("another measurement counts: %+v, not %+v", got.Results[i].Counts(), m.Results[i].Counts())
			}
		}
		for cut := range packed { // a damaged document is refused, and never makes the reader fail otherwise
			if new(readmodels.MemberState).UnmarshalBinary(packed[:cut]) == nil {
				t.Fatalf("the first %d of %d bytes were taken for a member", cut, len(packed))
			}
		}
	})
}

// TestPackedFormIsKept fails when the form changes: then the versions of the projections that write it must, too.
func TestPackedFormIsKept(t *testing.T) {
	m := &readmodels.MemberState{Name: "Ada", Email: "ada@acme.example", Direct: []string{someTexts[6]}}
	m.Measure(someTexts[6], readmodels.Result{Session: "s", Score: 133, Level: "emerging", MeasuredAt: time.Unix(1_700_000_000, 5)})
	s := m.EditIn(someTexts[6])
	s.Paths, s.State, s.Rule, s.Version, s.Required = []string{"direct", someTexts[10]}, "assigned", "all_required.v1", 2, 3
	s.Since = readmodels.CauseRecord{Position: 10, Type: "MemberAssigned", Time: time.Unix(1_700_000_001, 0)}
	m.KeepVisit(someTexts[6], 2, "all_required.v1", 0, []readmodels.VisitedSkill{{Status: "validated", Taken: m.Results[0].Taken()}, {Status: "beta"}})
	packed, err := m.AppendBinary(nil)
	if err != nil {
		t.Fatal(err)
	}
	const id = "019ab3d9985077f193b3f8eb333f738c"
	const want = "ff03416461ff106164614061636d652e6578616d706c650002fe" + id +
		"02fe" + id +
		"1e00ff01738a020282c0d6fcf3c501050002fe" + id +
		"0414fd" + id +
		"0004000600000611141ba0dfd6fcf3c5010002fe" + id +
		"10041100040f020e0000"
	if got := hex.EncodeToString(packed); got != want {
		t.Errorf("packed\n%s\nnot\n%s", got, want)
	}
}

// FuzzMember unpacks what was never packed.
func FuzzMember(f *testing.F) {
	f.Add([]byte{})
	f.Add([]byte{0, 0, 0, 0, 0, 0, 0, 0})
	f.Add([]byte{0, 0, 0, 0, 2, 1, 2, 0xff, 0, 0, 0, 0})
	f.Fuzz(func(t *testing.T, data []byte) {
		var m readmodels.MemberState
		if m.UnmarshalBinary(data) != nil {
			return
		}
		packed, err := m.AppendBinary(nil)
		if err != nil {
			t.Fatal(err)
		}
		var again readmodels.MemberState
		if err := again.UnmarshalBinary(packed); err != nil {
			t.Fatalf("what was unpacked cannot be packed: %v", err)
		}
	})
}

func TestMemo(t *testing.T) {
	ctx, scope := context.Background(), readmodels.Scope{Projection: "memo", Version: 1}
	models := memory.New()
	defer models.Close()
	tx := readmodels.NewTx(models, scope)
	names := readmodels.Collection[struct{ Name string }]{Name: "names"}
	others := readmodels.Collection[struct{ Name string }]{Name: "others"}
	derived := 0
	name := func(id string) string {
		t.Helper()
		memo := readmodels.MemoOf[string, string](tx, func(on readmodels.Key, id string) bool { return on.ID == id }, names.Name).Of("p")
		value, err := memo.Get(id, func() (string, error) {
			derived++
			doc, err := names.Peek(ctx, tx, "p", id)
			if err != nil || doc == nil {
				return "none", err
			}
			return doc.Name, nil
		})
		if err != nil {
			t.Fatal(err)
		}
		return value
	}
	plan := "p"
	set := func(c readmodels.Collection[struct{ Name string }], id, to string) {
		t.Helper()
		doc, err := c.Edit(ctx, tx, plan, id)
		if err != nil {
			t.Fatal(err)
		}
		doc.Name = to
	}
	check := func(what, id, want string, times int) {
		t.Helper()
		before := derived
		if got := name(id); got != want || derived-before != times {
			t.Errorf("%s: %s, derived %d times; want %s, %d times", what, got, derived-before, want, times)
		}
	}
	check("at first", "a", "none", 1)
	check("again", "a", "none", 0)
	set(names, "a", "Ada")
	check("after an edit", "a", "Ada", 1)
	check("another", "b", "none", 1)
	set(names, "b", "Bob")
	check("after an edit of another", "a", "Ada", 0)
	set(others, "a", "x")
	check("after an edit of another collection", "a", "Ada", 0)
	names.Delete(tx, "p", "a")
	check("after it was deleted", "a", "none", 1)
	set(names, "a", "Ann")
	check("after it was made anew", "a", "Ann", 1)
	plan = "q"
	set(names, "a", "of another plan")
	check("after an edit in another plan", "a", "Ann", 0)
	plan = readmodels.Catalog
	set(names, "a", "of the catalog")
	check("after an edit in the catalog", "a", "Ann", 1)
	tx.Forget()
	check("after all was forgotten", "a", "none", 1)
}
