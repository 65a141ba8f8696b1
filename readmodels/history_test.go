package readmodels_test

import (
	"reflect"
	"testing"
	"time"

	"rolewise/readmodels"
)

func TestHistoryIsPacked(t *testing.T) {
	score, senior := 211, "senior"
	cause := readmodels.CauseRecord{Position: 12, Type: "SkillIQMeasured", Time: time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC)}
	row := readmodels.CauseRow{Position: "12", Type: cause.Type, Time: cause.Time}
	want := []readmodels.ProgressChange{
		{Cause: row, State: "completed", Level: &senior, Inputs: readmodels.Visit{Version: 3, Rule: "k_of_n.v1", K: 2, Skills: []readmodels.SkillInput{
			{Skill: someTexts[6], Required: true, Status: "validated", Goals: [3]int{1, 150, 300}, Measured: true, Score: &score, Session: "s"},
			{Skill: "x", Status: "beta", Goals: [3]int{4, 5, 6}},
		}}},
		{Cause: row, State: ""},
	}
	var history readmodels.ProgressHistory
	for _, c := range want {
		level := ""
		if c.Level != nil {
			level = *c.Level
		}
		history.Add(cause, c.State, level, c.Inputs)
	}
	packed, err := history.AppendBinary([]byte("x"))
	if err != nil || packed[0] != 'x' {
		t.Fatal("not appended", err)
	}
	var again readmodels.ProgressHistory
	if err := again.UnmarshalBinary(packed[1:]); err != nil {
		t.Fatal(err)
	}
	packed[1] = 0xff // the document keeps its own bytes
	got, err := again.All()
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%v\n got %+v\nwant %+v", err, got, want)
	}
	if err := again.UnmarshalBinary(packed[2 : len(packed)-1]); err != nil {
		t.Fatal(err)
	}
	if _, err := again.All(); err == nil {
		t.Error("a damaged history was read")
	}
}
