package catalogimport

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"

	"rolewise/commands"
	"rolewise/domain"
	"rolewise/domain/role"
	"rolewise/domain/skill"
)

// wantedRole is a role as the tables have it.
type wantedRole struct {
	id                       domain.RoleID
	code, title, description string
	line                     int           // of its first row in Skills.txt
	skills                   []wantedEntry // in order: required, then optional
	tooFew                   *TooFew
	doubtful                 []string
}

// wantedEntry is a skill in a role.
type wantedEntry struct {
	id       domain.SkillID
	name     string
	required bool
	level    float64 // 0 to 7, if required
	file     string
	line     int
}

// source is the text that a benchmark carries: with it the thresholds can be calculated again.
func (k wantedEntry) source() string {
	return "O*NET Skills, level " + strconv.FormatFloat(k.level, 'f', -1, 64) + " of 7"
}

// roles returns what the occupations become, by code.
func (t *tables) roles() []*wantedRole {
	var all []*wantedRole
	for _, o := range t.sorted() {
		chosen, qualifying := t.choose(o)
		if len(chosen) == 0 {
			t.report.reject(Rejection{File: skillTable, Line: o.line, Column: codeColumn, Value: o.code, Reason: "the occupation has no usable skill"})
			continue
		}
		r := &wantedRole{id: domain.RoleID(ID("role", o.code)), code: o.code, title: o.title, description: o.description, line: o.line}
		var taken []string
		for _, s := range chosen {
			name := t.elements[s.element]
			taken = append(taken, name)
			r.skills = append(r.skills, wantedEntry{
				id: domain.SkillID(ID("skill", s.element)), name: name, required: true, level: s.level.value, file: skillTable, line: s.level.line,
			})
			if s.level.suppressed && !s.importance.suppressed {
				r.doubtful = append(r.doubtful, fmt.Sprintf("%s %s: %s, level %g", o.code, o.title, name, s.level.value))
			}
		}
		if qualifying < fewest {
			r.tooFew = &TooFew{Code: o.code, Title: o.title, Qualifying: qualifying, Taken: taken}
		}
		t.addTechnologies(r, o)
		all = append(all, r)
	}
	return all
}

func (t *tables) addTechnologies(r *wantedRole, o *occupation) {
	for _, name := range slices.Sorted(maps.Keys(o.technologies)) {
		line := o.technologies[name]
		if len(r.skills) >= mostSkills {
			t.report.reject(Rejection{File: technologyTable, Line: line, Column: exampleColumn, Value: name, Reason: fmt.Sprintf("a role has at most %d skills", mostSkills)})
			continue
		}
		r.skills = append(r.skills, wantedEntry{id: domain.SkillID(ID("technology", name)), name: name, file: technologyTable, line: line})
	}
}

// summarise counts what the tables hold.
func (r *Report) summarise(i *importer) {
	r.Roles = len(i.roles)
	for _, s := range i.skills {
		if len(s.benchmarks) > 0 {
			r.Required += len(s.benchmarks)
		}
	}
	technologies := map[domain.SkillID]bool{}
	for _, wanted := range i.roles {
		for _, k := range wanted.skills {
			if !k.required {
				technologies[k.id] = true
				r.Optional++
			}
		}
		if wanted.tooFew != nil {
			r.TooFew = append(r.TooFew, *wanted.tooFew)
		}
		r.Doubtful = append(r.Doubtful, wanted.doubtful...)
	}
	r.Technologies = len(technologies)
	r.Skills = len(i.skills) - len(technologies)
}

func (i *importer) createRole(ctx context.Context, r *wantedRole) error {
	defer i.advance(1)
	state, err := i.handler.Role(ctx, domain.CatalogPlan, r.id)
	if err != nil || state.Exists {
		return err
	}
	err = i.send(ctx, commands.CreateRole{Role: r.id, Title: r.title}, skillTable, r.line, r.code)
	return err
}

// completeRole makes the draft what the tables say and publishes it, if that makes a difference.
func (i *importer) completeRole(ctx context.Context, r *wantedRole) error {
	steps := 1 + len(r.skills)
	defer func() { i.advance(steps) }()
	state, err := i.handler.Role(ctx, domain.CatalogPlan, r.id)
	if err != nil {
		return err
	}
	if !state.Exists { // refused, and reported
		return nil
	}
	i.dropRetired(r, state)
	changes := i.changes(r, state)
	if len(changes) == 0 && state.Published() && sameDraft(state) {
		i.unchanged()
		return nil
	}
	for _, c := range changes {
		if err := i.send(ctx, c.command, c.file, c.line, c.value); err != nil {
			return err
		}
	}
	err = i.send(ctx, commands.PublishRole{Role: r.id}, skillTable, r.line, r.code)
	return err
}

func (i *importer) unchanged() {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.report.Unchanged++
}

// sameDraft tells whether the draft is what is in force. After an import that was cut off before a publish it is not.
func sameDraft(s role.State) bool {
	return s.Draft.Title == s.InForce.Title && s.Draft.Description == s.InForce.Description && slices.Equal(s.Draft.Skills, s.InForce.Skills)
}

// change is a command with the place in the tables that it comes from.
type change struct {
	command commands.Command
	file    string
	line    int
	value   string
}

// changes lists the commands that lead from a draft to what the tables say.
func (i *importer) changes(r *wantedRole, state role.State) []change {
	var all []change
	add := func(c commands.Command, k wantedEntry) { all = append(all, change{c, k.file, k.line, k.name}) }
	whole := wantedEntry{file: skillTable, line: r.line, name: r.code}
	if state.Draft.Title != r.title {
		add(commands.RenameRole{Role: r.id, Title: r.title}, whole)
	}
	if state.Draft.Description != r.description {
		add(commands.DescribeRole{Role: r.id, Description: r.description, Responsibilities: state.Draft.Responsibilities}, whole)
	}
	wanted := map[domain.SkillID]wantedEntry{}
	for _, k := range r.skills {
		wanted[k.id] = k
	}
	had := map[domain.SkillID]role.Skill{}
	var order []domain.SkillID // of the draft, once the changes so far are made
	for _, old := range state.Draft.Skills {
		had[old.Skill] = old
		k, keep := wanted[old.Skill]
		if keep && !i.outdated(r.id, k, old.Benchmark) {
			order = append(order, old.Skill)
			continue
		}
		if !keep {
			k = whole
		}
		add(commands.RemoveRoleSkill{Role: r.id, Skill: old.Skill}, k)
	}
	for _, k := range r.skills {
		old, was := had[k.id]
		switch {
		case !slices.Contains(order, k.id):
			order = append(order, k.id)
			add(commands.AddRoleSkill{Role: r.id, Skill: k.id, Required: k.required}, k)
			if old.Percent != 0 {
				add(commands.AdjustGoal{Role: r.id, Skill: k.id, Percent: old.Percent}, k)
			}
			if old.RequiredLevel != 0 {
				add(commands.SetRequiredLevel{Role: r.id, Skill: k.id, Level: old.RequiredLevel}, k)
			}
		case was && old.Required != k.required:
			add(commands.SetSkillRequired{Role: r.id, Skill: k.id, Required: k.required}, k)
		}
	}
	if ordered := ids(r.skills); !slices.Equal(order, ordered) {
		add(commands.ReorderRoleSkills{Role: r.id, Skills: ordered}, whole)
	}
	return all
}

// dropRetired leaves out what the catalog has retired and the role does not have yet; publishBenchmarks reported it.
func (i *importer) dropRetired(r *wantedRole, state role.State) {
	r.skills = slices.DeleteFunc(r.skills, func(k wantedEntry) bool {
		has := slices.ContainsFunc(state.Draft.Skills, func(s role.Skill) bool { return s.Skill == k.id })
		return !has && i.byID[k.id].state.Status == skill.Retired
	})
}

// outdated tells whether a draft rests on another benchmark than the tables' one. Goals take a benchmark over only when
// a skill is added.
func (i *importer) outdated(r domain.RoleID, k wantedEntry, pinned skill.Benchmark) bool {
	current := i.byID[k.id].state
	return k.required && current.Status != skill.Retired && current.Benchmarks[r].Version > 0 && pinned != current.Benchmarks[r]
}

func ids(entries []wantedEntry) []domain.SkillID {
	all := make([]domain.SkillID, len(entries))
	for i, k := range entries {
		all[i] = k.id
	}
	return all
}
