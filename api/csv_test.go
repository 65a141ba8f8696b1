package api

import (
	"bufio"
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"

	"rolewise/readmodels"
)

func TestCSV(t *testing.T) {
	c := newCompany(t)
	engineer := "/analytics/roles/" + uid(roleEngineer)
	t.Run("ANA-8 all roles", func(t *testing.T) {
		got := c.see("/analytics/roles?format=csv")
		want := "role,title,version,beta,assigned,engaged,started,in_progress,pending,completed,levels_beginner,levels_entry,levels_mid,levels_senior\r\n" +
			uid(roleAnalyst) + ",'@Analyst,1,false,0,0,0,0,0,0,0,0,0,0\r\n" +
			uid(roleEngineer) + ",Engineer,1,false,3,1,1,0,0,1,0,0,1,0\r\n"
		if got.Code != 200 || got.Body != want {
			t.Errorf("%d\n%s", got.Code, got.Body)
		}
		for name, value := range map[string]string{
			"Content-Type": "text/csv; charset=utf-8; header=present", "Content-Disposition": `attachment; filename="acme-analytics-roles.csv"`,
			"X-Rolewise-Position": c.position, "X-Rolewise-As-Of": "2026-03-01T09:00:00Z", "Vary": "Accept",
		} {
			if got.Header.Get(name) != value {
				t.Errorf("%s: %q", name, got.Header.Get(name))
			}
		}
	})
	t.Run("ANA-8 skills of a role", func(t *testing.T) {
		want := "skill,name,required,goals_entry,goals_mid,goals_senior,measured,levels_novice,levels_emerging,levels_average," +
			"levels_above_average,levels_expert,average_level,meets_entry,meets_mid,meets_senior\r\n" +
			uid(skillGo) + ",Go,true,100,150,200,1,0,0,0,1,0,4,1,1,0\r\n" +
			uid(skillSQL) + ",'=SQL,false,100,150,200,0,0,0,0,0,0,,0,0,0\r\n"
		if got := c.see(engineer + "?format=csv"); got.Body != want {
			t.Errorf("%d\n%s", got.Code, got.Body)
		}
	})
	t.Run("ANA-8 members of a role", func(t *testing.T) {
		rows := parsed(t, c.see(engineer+"/members?format=csv"))
		want := []string{uid(memberBo), "'+Bo", "bo@example.org", "", "direct", "completed", "mid", "mid", "1", "1", "2026-02-01T10:00:00Z", "1", "all_required.v1"}
		if len(rows) != 4 || !slices.ContainsFunc(rows, func(row []string) bool { return slices.Equal(row, want) }) {
			t.Errorf("%q", rows)
		}
		if body := c.see(engineer + "/members?format=csv").Body; !strings.Contains(body, `"Cy, ""the"" sly"`) || !strings.Contains(body, "Ada Äther") {
			t.Error(body)
		}
	})
	t.Run("ANA-8 a row for each skill", func(t *testing.T) {
		rows := parsed(t, c.see(engineer+"/members?format=csv&rows=skills"))
		if len(rows) != 7 || !slices.Equal(rows[0][13:], []string{"skills_skill", "skills_name", "skills_required", "skills_level", "skills_measured_at", "skills_stale", "skills_next_retake"}) {
			t.Fatalf("%q", rows)
		}
		for _, row := range rows[1:] {
			if row[0] == uid(memberBo) && row[13] == uid(skillGo) && !slices.Equal(row[14:], []string{"Go", "true", "above_average", "2026-02-01T10:00:00Z", "false", "2026-02-15T10:00:00Z"}) {
				t.Errorf("%q", row)
			}
		}
	})
	t.Run("ANA-8 the header Accept", func(t *testing.T) {
		for accept, csv := range map[string]bool{
			"text/csv": true, "text/csv;q=0.9, application/json;q=0.8": true, "application/json, text/csv;q=0.5": false, "*/*": false, "": false, "text/html": false,
		} {
			got := c.see("/analytics/roles", "Accept", accept)
			if isCSV := strings.HasPrefix(got.Header.Get("Content-Type"), "text/csv"); isCSV != csv {
				t.Errorf("%q: %s", accept, got.Header.Get("Content-Type"))
			}
		}
		if got := c.see("/analytics/roles?format=json", "Accept", "text/csv"); !strings.HasPrefix(got.Body, `{"items"`) {
			t.Error(got.Body)
		}
	})
	t.Run("ANA-8 refusals are problems", func(t *testing.T) {
		c.see("/analytics/roles/"+uid(99)+"?format=csv").refused(404, "role_not_found")
		c.see("/analytics/roles/"+uid(99)+"/members?format=csv").refused(404, "role_not_found")
	})
}

func parsed(t *testing.T, got reply) [][]string {
	t.Helper()
	if got.Code != 200 {
		t.Fatalf("%d %s", got.Code, got.Body)
	}
	rows, err := csv.NewReader(strings.NewReader(got.Body)).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	return rows
}

// TestCSVHasAllPages: the CSV has as many rows as there are, however long a page is.
func TestCSVHasAllPages(t *testing.T) {
	c := newCompany(t)
	var ids []string
	for i := range sheetPage + 100 {
		ids = append(ids, uid(1000+i))
		c.send("invite-member", fields{"member": uid(1000 + i), "name": "Member", "email": "m" + strconv.Itoa(i) + "@example.org"})
	}
	c.send("assign-role", fields{"role": uid(roleAnalyst), "members": ids})
	rows := parsed(t, c.see("/analytics/roles/"+uid(roleAnalyst)+"/members?format=csv"))
	var got []string
	for _, row := range rows[1:] {
		got = append(got, row[0])
	}
	slices.Sort(got)
	if !slices.Equal(got, ids) {
		t.Errorf("%d rows", len(got))
	}
}

// TestCSVColumnsAreTheJSONFields: a field that is added to a row must be added to its CSV too.
func TestCSVColumnsAreTheJSONFields(t *testing.T) {
	s, err := newServer(Deps{})
	if err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		what string
		row  any
		open func(*call) (*sheet, error)
		skip string
	}{
		{"roles", readmodels.RoleLine{}, s.analyticsRolesSheet, ""},
		{"skills", readmodels.SkillLine{}, s.analyticsRoleSheet, ""},
		{"members", readmodels.MemberLine{}, s.analyticsMembersSheet, "skills"},
	} {
		t.Run("ANA-8 "+tc.what, func(t *testing.T) {
			var header []string
			s.engine.GET("/"+tc.what+"/:id", s.answering(func(c *call) error {
				sheet, err := tc.open(c)
				header = sheet.header
				return err
			}))
			if got := (&rig{t: t, handler: s.engine}).get("/"+tc.what+"/"+uid(1), ""); got.Code != 200 {
				t.Fatalf("%d %s", got.Code, got.Body)
			}
			if want := columns(reflect.TypeOf(tc.row), "", tc.skip); !slices.Equal(header, want) {
				t.Errorf("got  %v\nwant %v", header, want)
			}
		})
	}
}

// columns flattens the JSON fields of a row.
func columns(row reflect.Type, prefix, skip string) []string {
	var all []string
	for i := range row.NumField() {
		f := row.Field(i)
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		switch {
		case name == skip:
		case f.Type.Kind() == reflect.Array: // goals: entry, mid, senior
			all = append(all, name+"_entry", name+"_mid", name+"_senior")
		case f.Type.Kind() == reflect.Struct:
			all = append(all, columns(f.Type, name+"_", "")...)
		default:
			all = append(all, prefix+name)
		}
	}
	return all
}

func TestSafeCell(t *testing.T) {
	for text, want := range map[string]string{
		"": "", "plain": "plain", "=1+1": "'=1+1", "+49": "'+49", "-1": "'-1", "@cmd": "'@cmd", "\tx": "'\tx", "\rx": "'\rx", "a=b": "a=b", "'=x": "'=x",
	} {
		if got := safeCell(text); got != want {
			t.Errorf("ANA-8 %q: %q", text, got)
		}
	}
}

// streamOf serves a sheet over a real connection.
func streamOf(t *testing.T, page func(context.Context, readmodels.Want) ([][]string, string, readmodels.Checkpoint, error)) string {
	t.Helper()
	s, err := newServer(Deps{})
	if err != nil {
		t.Fatal(err)
	}
	s.engine.GET("/sheet", s.answering(func(c *call) error {
		return s.stream(c, func(*call) (*sheet, error) { return &sheet{name: "x", header: []string{"n"}, page: page}, nil })
	}))
	return newServerOf(t, s.engine) + "/sheet"
}

func TestBrokenStream(t *testing.T) {
	t.Run("ANA-8 what cannot be finished does not look finished", func(t *testing.T) {
		address := streamOf(t, func(_ context.Context, want readmodels.Want) ([][]string, string, readmodels.Checkpoint, error) {
			if want.After != "" {
				return nil, "", readmodels.Checkpoint{}, errors.New("connection lost")
			}
			return [][]string{{"1"}}, "1", readmodels.Checkpoint{}, nil
		})
		answer, err := http.Get(address)
		if err != nil {
			t.Fatal(err)
		}
		defer answer.Body.Close()
		body, err := io.ReadAll(answer.Body)
		if string(body) != "n\r\n1\r\n" || err == nil {
			t.Errorf("%q, %v", body, err)
		}
	})
	t.Run("ANA-8 an error before the first row is a problem", func(t *testing.T) {
		answer, err := http.Get(streamOf(t, func(context.Context, readmodels.Want) ([][]string, string, readmodels.Checkpoint, error) {
			return nil, "", readmodels.Checkpoint{}, errors.New("connection lost")
		}))
		if err != nil {
			t.Fatal(err)
		}
		defer answer.Body.Close()
		var p Problem
		if err := json.NewDecoder(answer.Body).Decode(&p); err != nil || answer.StatusCode != 500 || p.Code != "internal" || strings.Contains(p.Detail, "lost") {
			t.Errorf("%d %+v %v", answer.StatusCode, p, err)
		}
	})
	t.Run("ANA-8 work ends when the client goes away", func(t *testing.T) {
		ended := make(chan error, 1)
		address := streamOf(t, func(ctx context.Context, want readmodels.Want) ([][]string, string, readmodels.Checkpoint, error) {
			if want.After != "" {
				<-ctx.Done()
				ended <- ctx.Err()
				return nil, "", readmodels.Checkpoint{}, ctx.Err()
			}
			return [][]string{{"1"}}, "1", readmodels.Checkpoint{}, nil
		})
		answer, err := http.Get(address)
		if err != nil {
			t.Fatal(err)
		}
		if line, err := bufio.NewReader(answer.Body).ReadString('\n'); err != nil || line != "n\r\n" {
			t.Errorf("%q, %v", line, err)
		}
		answer.Body.Close()
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	})
}
