// Package catalogimport fills the vendor's catalog from public data, through the same commands as everyone's (SPEC IMP-4).
package catalogimport

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"

	"rolewise/commands"
	"rolewise/domain"
	"rolewise/domain/access"
	"rolewise/domain/skill"
)

// Attribution is what the licence of the O*NET database asks to show wherever the catalog is offered.
const Attribution = "This includes information from the O*NET Database by the U.S. Department of Labor, Employment and Training " +
	"Administration (USDOL/ETA). Used under the CC BY 4.0 license. O*NET® is a trademark of USDOL/ETA. The tables were turned " +
	"into roles, skills and benchmarks; USDOL/ETA has not approved, endorsed, or tested these modifications."

// minImportance is the importance (1 to 5) from which a skill is required in a role.
const minImportance = 3.5

// fewest is the number of required skills that a role gets in any case, where the tables have that many.
const fewest = 3

// mostSkills is the most that a role may have; technologies beyond it are rejected.
const mostSkills = 200

// Options change how an import runs, never what comes out.
type Options struct {
	Progress func(done, total int) // called in order, from one goroutine at a time; nil: nobody wants to know
	Workers  int                   // commands under way at the same time; 0: 16
}

// ONET imports the tables of the O*NET database from a folder: "Occupation Data.txt", "Skills.txt" and "Technology
// Skills.txt", as published. The catalog plan is created if it is missing.
//
// Each occupation with skills becomes a published role. Its required skills are those with an importance (IM) of at
// least 3.5 that O*NET neither recommends to suppress nor marks as not relevant, the most important first, then by
// name. Where fewer than three qualify, the three most important are taken, those neither suppressed nor irrelevant
// before others. Technologies marked hot follow as optional skills, by name.
//
// The level (LV) of a skill in an occupation becomes its benchmark in that role. With mid = round(LV / 7 × 300), held
// within 1 to 299, the thresholds are
//
//	entry = max(mid − 60, 0)   mid   senior = min(mid + 60, 300)
//
// 60 points being 20 % of the scale; so they are always within it and strictly rising (SPEC SKL-3).
//
// Ids are made of the codes, see ID, and each object is compared with what the event store has before anything is sent.
// So a repeat appends nothing, a run after a crash continues, and changed tables change what differs and publish the
// roles concerned anew. Goal percentages and required levels that an operator has set by hand stay; skills of an
// imported role that are not in the tables go. A role whose occupation is no longer in the tables stays as it is.
//
// Rows that cannot be used, and commands that the domain refuses, are in the report, and the rest is imported. The
// error is a *TableError if a table cannot be read, in which case nothing was sent; otherwise one of the event store, and
// the report then covers what was done before it.
func ONET(ctx context.Context, handler *commands.Handler, dir string, o Options) (Report, error) {
	report := Report{Events: map[string]int{}}
	t, err := readTables(dir, &report)
	if err != nil {
		return report, fmt.Errorf("import O*NET: %w", err)
	}
	i := &importer{handler: handler, report: &report, roles: t.roles(), workers: o.Workers, progress: o.Progress}
	if i.workers <= 0 {
		i.workers = 16
	}
	i.skills = t.skills(i.roles)
	report.summarise(i)
	err = i.run(ctx)
	report.sort()
	if err != nil {
		return report, fmt.Errorf("import O*NET: %w", err)
	}
	return report, nil
}

// wantedSkill is a skill or technology as the tables have it, and the roles that have a benchmark of it.
type wantedSkill struct {
	id                domain.SkillID
	name, description string
	file              string      // the table that it is in
	line              int         // of its first row
	benchmarks        []benchmark // by occupation code
	state             skill.State // in the event store, once its benchmarks are published
}

type benchmark struct {
	role   domain.RoleID
	thresh skill.Thresholds
	source string
	line   int
}

// importer carries out an import. Steps that belong to one stream follow each other in one goroutine, so that the
// workers never meet and each stream has the same events in the same order, however many workers there are.
type importer struct {
	handler  *commands.Handler
	report   *Report
	skills   []*wantedSkill // O*NET skills, then technologies
	byID     map[domain.SkillID]*wantedSkill
	roles    []*wantedRole
	workers  int
	progress func(done, total int)

	mu          sync.Mutex // of all below, and of the report
	done, total int
}

func (i *importer) run(ctx context.Context) error {
	if err := i.handler.Bootstrap(ctx); err != nil {
		return err
	}
	i.byID = map[domain.SkillID]*wantedSkill{}
	for _, s := range i.skills {
		i.byID[s.id] = s
		i.total += 1 + len(s.benchmarks)
	}
	for _, r := range i.roles {
		i.total += 2 + len(r.skills)
	}
	i.advance(0)
	// Roles come into being before the benchmarks that name them, and these before the goals that rest on them.
	if err := each(ctx, i.workers, i.skills, i.defineSkill); err != nil {
		return err
	}
	if err := each(ctx, i.workers, i.roles, i.createRole); err != nil {
		return err
	}
	if err := each(ctx, i.workers, i.skills, i.publishBenchmarks); err != nil {
		return err
	}
	return each(ctx, i.workers, i.roles, i.completeRole)
}

// each calls use with every item, some at the same time; the first error ends it.
func each[T any](ctx context.Context, workers int, items []T, use func(context.Context, T) error) error {
	group, until := errgroup.WithContext(ctx)
	group.SetLimit(workers)
	for _, item := range items {
		if until.Err() != nil {
			break
		}
		group.Go(func() error { return use(until, item) })
	}
	return cmp.Or(group.Wait(), ctx.Err())
}

func (i *importer) advance(steps int) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.done += steps
	if i.progress != nil {
		i.progress(i.done, i.total)
	}
}

// send carries out a command. A refusal is no error: it is reported at a line of a table.
func (i *importer) send(ctx context.Context, c commands.Command, file string, line int, value string) error {
	request := commands.Request{
		Plan: domain.CatalogPlan, Principal: access.Principal{ID: "operator", Vendor: true}, Correlation: "import-onet",
	}
	answer, err := i.handler.Handle(ctx, request, c)
	var refusal *domain.Error
	if errors.As(err, &refusal) {
		i.reject(Rejection{File: file, Line: line, Column: refusal.Field, Value: value, Reason: c.About().Name + " refused: " + refusal.Message})
		return nil
	}
	if err != nil {
		return err
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	i.report.count(answer.Events)
	return nil
}

func (i *importer) reject(x Rejection) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.report.reject(x)
}

func (i *importer) defineSkill(ctx context.Context, s *wantedSkill) error {
	defer i.advance(1)
	state, err := i.handler.Skill(ctx, domain.CatalogPlan, s.id)
	switch {
	case err != nil:
		return err
	case !state.Exists:
		err = i.send(ctx, commands.DefineSkill{Skill: s.id, Name: s.name, Description: s.description, State: skill.Validated}, s.file, s.line, s.name)
	case state.Name != s.name:
		err = i.send(ctx, commands.RenameSkill{Skill: s.id, Name: s.name}, s.file, s.line, s.name)
	}
	return err
}

func (i *importer) publishBenchmarks(ctx context.Context, s *wantedSkill) error {
	state, err := i.handler.Skill(ctx, domain.CatalogPlan, s.id)
	if err != nil {
		return err
	}
	if state.Status == skill.Retired {
		i.reject(Rejection{File: skillTable, Line: s.line, Column: nameColumn, Value: s.name, Reason: "the catalog has retired this skill: it is left as it is"})
		i.advance(len(s.benchmarks))
		s.state = state
		return nil
	}
	for _, b := range s.benchmarks {
		if current := state.Benchmarks[b.role]; current.Version == 0 || current.Thresholds != b.thresh {
			publish := commands.PublishBenchmark{Skill: s.id, Role: b.role, Thresholds: b.thresh[:], Source: b.source}
			if err := i.send(ctx, publish, skillTable, b.line, s.name); err != nil {
				return err
			}
		}
		i.advance(1)
	}
	s.state, err = i.handler.Skill(ctx, domain.CatalogPlan, s.id)
	return err
}

// skills returns the skills and technologies that the roles use, in the order of their codes and names.
func (t *tables) skills(roles []*wantedRole) []*wantedSkill {
	used := map[domain.SkillID]*wantedSkill{}
	for _, r := range roles {
		for _, k := range r.skills {
			s := used[k.id]
			if s == nil {
				s = &wantedSkill{id: k.id, name: k.name, file: k.file, line: k.line}
				used[k.id] = s
			}
			if k.required {
				s.benchmarks = append(s.benchmarks, benchmark{role: r.id, thresh: scale(k.level), source: k.source(), line: k.line})
			}
		}
	}
	var all []*wantedSkill
	add := func(id, description string) {
		if s := used[domain.SkillID(id)]; s != nil {
			s.description = description
			all = append(all, s)
		}
	}
	for _, element := range slices.Sorted(maps.Keys(t.elements)) {
		add(ID("skill", element), "O*NET skill "+element)
	}
	for _, name := range slices.Sorted(maps.Keys(t.technologies)) {
		add(ID("technology", name), "Technology: "+strings.Join(slices.Sorted(maps.Keys(t.technologies[name])), "; "))
	}
	return all
}

// choose returns the required skills of an occupation, most important first, and how many of them qualify.
func (t *tables) choose(o *occupation) (chosen []*rating, qualifying int) {
	sound := func(s *rating) int {
		if s.importance.suppressed || s.irrelevant {
			return 1
		}
		return 0
	}
	all := o.sorted()
	slices.SortFunc(all, func(a, b *rating) int {
		return cmp.Or(cmp.Compare(sound(a), sound(b)), cmp.Compare(b.importance.value, a.importance.value),
			strings.Compare(t.elements[a.element], t.elements[b.element]))
	})
	for qualifying < len(all) && sound(all[qualifying]) == 0 && all[qualifying].importance.value >= minImportance {
		qualifying++
	}
	chosen = all[:min(max(qualifying, fewest), len(all))]
	return chosen, qualifying
}
