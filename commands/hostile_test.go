package commands_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"rolewise/commands"
	"rolewise/domain"
)

// hostile are texts that no field takes for an id.
var hostile = map[string]string{
	"nothing":           "",
	"a space":           " ",
	"1 KiB":             strings.Repeat("a", 1024),
	"64 KiB":            strings.Repeat("a", 64<<10),
	"an upper-case id":  "01890A5D-AC96-774B-BCCE-B302099A8057",
	"a nil id":          "00000000-0000-0000-0000-000000000000",
	"an id of nothing":  "01890a5d-ac96-774b-bcce-b302099a8057",
	"an id with braces": "{01890a5d-ac96-774b-bcce-b302099a8057}",
	"an id and a space": "01890a5d-ac96-774b-bcce-b302099a8057 ",
	"a zero byte":       "a\x00b",
	"a line break":      "a\nb",
	"no UTF-8":          "\xff\xfe",
	"other letters":     "идентификатор😀",
	"right to left":     "\u202e8057",
	"a path":            "../../plan-acme.plan",
	"a stream":          "plan",
	"a wildcard":        "%_*",
	"quotes":            `'"; DROP TABLE events; --`,
	"a tag":             "<script>",
}

// ids finds the fields of a command that hold ids: set by name, so that a new one is not forgotten.
var ids = map[string]bool{"Plan": true, "Member": true, "Members": true, "Team": true, "Teams": true, "Parent": true, "Skill": true, "Skills": true, "Role": true, "Source": true, "Key": true, "Category": true, "AdvancesFrom": true, "To": true}

// with returns copies of a command, each with a value in another of its text fields, below lists too.
func with(c commands.Command, value string) map[string]commands.Command {
	all := map[string]commands.Command{}
	var walk func(path string, at func(root reflect.Value) reflect.Value)
	walk = func(path string, at func(reflect.Value) reflect.Value) {
		root := reflect.New(reflect.TypeOf(c)).Elem()
		root.Set(reflect.ValueOf(c))
		field := at(root)
		switch {
		case field.Kind() == reflect.String:
			field.SetString(value)
			all[path] = root.Interface().(commands.Command)
		case field.Type() == reflect.TypeFor[json.RawMessage]():
			text, _ := json.Marshal(value)
			field.SetBytes(text)
			all[path] = root.Interface().(commands.Command)
		case field.Kind() == reflect.Slice:
			one := reflect.New(field.Type().Elem()).Elem()
			if field.Len() > 0 {
				one = field.Index(0)
			}
			walk(path+"/0", func(root reflect.Value) reflect.Value {
				list := reflect.MakeSlice(field.Type(), 1, 1)
				list.Index(0).Set(one)
				at(root).Set(list)
				return list.Index(0)
			})
		case field.Kind() == reflect.Struct && field.Type().PkgPath() == reflect.TypeOf(c).PkgPath():
			for i := range field.NumField() {
				walk(path+"/"+field.Type().Field(i).Name, func(root reflect.Value) reflect.Value { return at(root).Field(i) })
			}
		}
	}
	walk("", func(root reflect.Value) reflect.Value { return root })
	return all
}

// optional are id fields that may be left out.
var optional = map[string]bool{
	"invite-member/Member": true, "create-team/Team": true, "create-team/Parent": true, "move-team/Parent": true,
	"define-skill/Skill": true, "define-skill/Parent": true, "publish-benchmark/Role": true, "create-role/Role": true,
	"customize-role/Role": true, "duplicate-role/Role": true, "create-api-key/Member": true,
	"create-category/Category": true, "categorize-role/Category": true,
}

// wellFormed are texts that an id which the caller gives to something new may have.
var wellFormed = map[string]bool{"a nil id": true, "an id of nothing": true}

var givesID = map[string]bool{
	"invite-member/Member": true, "create-team/Team": true, "define-skill/Skill": true, "create-role/Role": true,
	"customize-role/Role": true, "duplicate-role/Role": true, "create-plan/Plan": true,
	"create-category/Category": true,
}

func TestHostileFields(t *testing.T) {
	r := newRig(t)
	f := r.fixture("acme")
	before := r.head()
	for i, c := range f.bodies() {
		for name, value := range hostile {
			for path, body := range with(c, value) {
				what := c.About().Name + path
				parts := strings.Split(strings.Trim(path, "/"), "/")
				last := parts[len(parts)-1]
				if last == "0" {
					last = parts[len(parts)-2]
				}
				isID := ids[last] && what != "record-skill-iq/Source" && what != "publish-benchmark/Source"
				accepted := !isID || value == "" && optional[what] || wellFormed[name] && givesID[what] || what == "create-plan/Plan" && value == "plan"
				for _, key := range []string{"", fmt.Sprint(i, name, path)} {
					body := atomic(body, path)
					req := request("acme", body, key)
					req.DryRun = accepted // what is refused appends nothing, without that
					_, err := r.handler.Handle(t.Context(), req, body)
					var refusal *domain.Error
					switch {
					case err != nil && !errors.As(err, &refusal):
						t.Errorf("API-4 %s with %s: %v", what, name, err)
					case err == nil && !accepted:
						t.Errorf("API-4 %s with %s was accepted", what, name)
					case err != nil && isID && refusal.Kind != domain.Invalid && refusal.Kind != domain.NotFound && refusal.Code != "skill_not_in_role":
						t.Errorf("API-4 %s with %s: %v", what, name, err)
					case err != nil && isID && refusal.Field == "" && refusal.Code != "plan_not_found":
						t.Errorf("API-4 %s with %s: %v names no field", what, name, err)
					}
				}
			}
		}
	}
	if r.head() != before {
		t.Errorf("API-4 appended %v", r.types(before))
	}
}

// atomic makes a bulk command refuse as a whole what it would else refuse item by item.
func atomic(c commands.Command, path string) commands.Command {
	switch c := c.(type) {
	case commands.AssignRole:
		if path != "/Mode" {
			c.Mode = commands.Atomic
		}
		return c
	case commands.UnassignRole:
		if path != "/Mode" {
			c.Mode = commands.Atomic
		}
		return c
	}
	return c
}

// The keys of requests, the plans and the principals are texts of the caller's too.
func TestHostileRequests(t *testing.T) {
	r := newRig(t)
	r.fixture("acme")
	before := r.head()
	for name, value := range hostile {
		c := commands.CreateTeam{Name: "Team"}
		for _, req := range []commands.Request{
			{Plan: domain.PlanID(value), Principal: operator},
			{Plan: domain.PlanID(value), Principal: operator, Key: "key"},
			{Plan: domain.PlanID(value), Principal: as(domain.PlanID(value), "*")},
			{Plan: "acme", Principal: as(domain.PlanID(value), "*")},
		} {
			if _, err := r.handler.Handle(t.Context(), req, c); domain.CodeOf(err) != "plan_not_found" {
				t.Errorf("ACC-5 plan %s: %v", name, err)
			}
		}
	}
	if r.head() != before {
		t.Errorf("appended %v", r.types(before))
	}
}
