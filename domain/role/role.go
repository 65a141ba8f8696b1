package role

import (
	"fmt"
	"slices"

	"rolewise/domain"
	"rolewise/domain/roleiq"
	"rolewise/domain/skill"
)

// Commands to a role. Fields that a caller cannot know are facts, read from other streams by the command handler.
type (
	Command interface{ command() }

	Create struct {
		Role    domain.RoleID
		Title   string
		Creator domain.MemberID
	}
	// Copy customises (of the catalog) or duplicates (of the plan) the role Source. An empty title keeps the source's.
	Copy struct {
		Role        domain.RoleID
		Title       string
		Creator     domain.MemberID
		Source      domain.RoleID
		FromCatalog bool
		SourceState State // fact
	}
	Rename struct {
		Role  domain.RoleID
		Title string
	}
	Describe struct {
		Role             domain.RoleID
		Description      string
		Responsibilities []string
	}
	AddSkill struct {
		Role        domain.RoleID
		Skill       domain.SkillID
		Required    bool
		SkillStatus skill.Status    // fact; empty: no such skill
		Benchmark   skill.Benchmark // fact
	}
	RemoveSkill struct {
		Role  domain.RoleID
		Skill domain.SkillID
	}
	ReorderSkills struct {
		Role   domain.RoleID
		Skills []domain.SkillID
	}
	SetRequired struct {
		Role     domain.RoleID
		Skill    domain.SkillID
		Required bool
	}
	AdjustGoal struct {
		Role    domain.RoleID
		Skill   domain.SkillID
		Percent int
	}
	SetRequiredLevel struct {
		Role  domain.RoleID
		Skill domain.SkillID
		Level int
	}
	Publish struct {
		Role      domain.RoleID
		OnPublish OnPublish // empty: ReEvaluate
	}
)

func (Create) command()           {}
func (Copy) command()             {}
func (Rename) command()           {}
func (Describe) command()         {}
func (AddSkill) command()         {}
func (RemoveSkill) command()      {}
func (ReorderSkills) command()    {}
func (SetRequired) command()      {}
func (AdjustGoal) command()       {}
func (SetRequiredLevel) command() {}
func (Publish) command()          {}

// State is a role's draft and the version in force.
type State struct {
	Exists   bool
	Deleted  bool
	Creator  domain.MemberID // or to whom it was transferred; empty: no single person's
	Source   domain.RoleID   // the role it was copied from, if any
	Category domain.CategoryID
	Draft    Content
	Version  int     // in force; 0: never published
	InForce  Content // of that version
}

// Published tells whether members can be assigned to the role.
func (s State) Published() bool { return s.Version > 0 && !s.Deleted }

// Title is the one that the role is shown under: of the version in force, of the draft before there is one.
func (s State) Title() string {
	if s.Version > 0 {
		return s.InForce.Title
	}
	return s.Draft.Title
}

// Titles lists those that no other live role of the plan may have: of the draft and of the version in force.
func (s State) Titles() []string {
	switch {
	case !s.Exists || s.Deleted:
		return nil
	case s.Version > 0 && s.InForce.Title != s.Draft.Title:
		return []string{s.Draft.Title, s.InForce.Title}
	}
	return []string{s.Draft.Title}
}

// Decider holds the rules of a role (SPEC ROL-1 to ROL-12).
var Decider = domain.Decider[State, Command, Event]{
	Initial: func() State { return State{} },
	Decide:  decide,
	Evolve:  evolve,
}

// ratingScale is the number of levels of the default rating scale (SPEC SKL-5).
const ratingScale = 5

// maxSkills bounds a role far above what is recommended, so that one event stays small.
const maxSkills = 200

func decide(s State, c Command) ([]Event, error) {
	switch c := c.(type) {
	case Create:
		if err := s.checkNew(c.Role, c.Title, 1); err != nil {
			return nil, err
		}
		return []Event{RoleCreated(c)}, nil
	case Copy:
		return decideCopy(s, c)
	case YieldTitle:
		return []Event{RoleTitleYielded(c)}, nil
	}
	if !s.Exists {
		return nil, domain.Missing("role").At("/role")
	}
	switch c := c.(type) {
	case Delete:
		return decideDelete(s, c)
	case Restore:
		if !s.Deleted {
			return nil, nil
		}
		return []Event{RoleRestored(c)}, nil
	}
	if s.Deleted {
		return nil, domain.Conflictf("role_deleted", "the role was deleted; restore it first").At("/role")
	}
	switch c := c.(type) {
	case Transfer:
		return decideTransfer(s, c)
	case Categorize:
		return decideCategorize(s, c)
	case Rename:
		if err := checkTitle(c.Title, 1); err != nil || c.Title == s.Draft.Title {
			return nil, err
		}
		return []Event{RoleRenamed(c)}, nil
	case Describe:
		return decideDescribe(s, c)
	case PersonalizeBadge:
		return decideBadge(s, c)
	case Publish:
		return decidePublish(s, c)
	default:
		return decideSkills(s, c)
	}
}

func (s State) checkNew(id domain.RoleID, title string, minTitle int) error {
	if err := domain.CheckID("/role", id); err != nil {
		return err
	}
	if s.Exists {
		return domain.Conflictf("role_exists", "there is a role of this id already").At("/role")
	}
	return checkTitle(title, minTitle)
}

func checkTitle(title string, min int) error { return domain.CheckText("/title", title, min, 200) }

func decideCopy(s State, c Copy) ([]Event, error) {
	if err := s.checkNew(c.Role, c.Title, 0); err != nil {
		return nil, err
	}
	source := c.SourceState
	if !source.Exists || source.Deleted || (c.FromCatalog && !source.Published()) {
		return nil, domain.Missing("role").At("/source")
	}
	content := source.InForce
	if !source.Published() {
		content = source.Draft
	}
	if c.Title != "" {
		content.Title = c.Title
	}
	if c.FromCatalog {
		return []Event{RoleCustomized{Role: c.Role, Source: c.Source, SourceVersion: source.Version, Content: content, Creator: c.Creator}}, nil
	}
	return []Event{RoleDuplicated{Role: c.Role, Source: c.Source, SourceVersion: source.Version, Content: content, Creator: c.Creator}}, nil
}

func decideDescribe(s State, c Describe) ([]Event, error) {
	if err := domain.CheckLines("/description", c.Description, 10_000); err != nil {
		return nil, err
	}
	if len(c.Responsibilities) > 100 {
		return nil, domain.Invalidf("/responsibilities", "too_many", "at most 100 responsibilities")
	}
	for i, text := range c.Responsibilities {
		if err := domain.CheckText(domain.ItemPointer("/responsibilities", i), text, 1, 1000); err != nil {
			return nil, err
		}
	}
	if c.Description == s.Draft.Description && slices.Equal(c.Responsibilities, s.Draft.Responsibilities) {
		return nil, nil
	}
	return []Event{RoleDescribed(c)}, nil
}

func decidePublish(s State, c Publish) ([]Event, error) {
	on := c.OnPublish
	if on == "" {
		on = ReEvaluate
	}
	if on != ReEvaluate && on != Grandfather {
		return nil, domain.Invalidf("/on_publish", "invalid_on_publish", "must be re_evaluate or grandfather")
	}
	if !slices.ContainsFunc(s.Draft.Skills, func(k Skill) bool { return k.Required }) {
		return nil, domain.Conflictf("no_required_skill", "a role needs at least one required skill to be published").At("/role")
	}
	if s.Published() && s.Draft.equal(s.InForce) {
		return nil, nil
	}
	return []Event{RolePublished{Role: c.Role, Version: s.Version + 1, Content: s.Draft, OnPublish: on}}, nil
}

// Warnings are the recommendations that the draft does not follow; they never refuse anything (SPEC ROL-5).
func (s State) Warnings() []string {
	if n := len(s.Draft.Skills); s.Exists && !s.Deleted && (n < 5 || n > 8) {
		return []string{fmt.Sprintf("5 to 8 skills are recommended, the role has %d", n)}
	}
	return nil
}

func evolve(s State, e Event) State {
	switch e := e.(type) {
	case RoleCreated:
		s.Exists, s.Creator, s.Draft = true, e.Creator, Content{Title: e.Title}
	case RoleCustomized:
		s.Exists, s.Creator, s.Source, s.Draft = true, e.Creator, e.Source, e.Content
	case RoleDuplicated:
		s.Exists, s.Creator, s.Source, s.Draft = true, e.Creator, e.Source, e.Content
	case RoleRenamed:
		s.Draft.Title = e.Title
	case RoleDescribed:
		s.Draft.Description, s.Draft.Responsibilities = e.Description, e.Responsibilities
	case RoleBadgePersonalized:
		s.Draft.Badge = e.Badge
	case RoleCategorized:
		s.Category = e.Category
	case RoleDeleted:
		s.Deleted = true
	case RoleRestored:
		s.Deleted = false
	case RoleTransferred:
		s.Creator = e.To
	case RoleTitleYielded:
	case RolePublished:
		s.Version, s.InForce, s.Draft = e.Version, e.Content, e.Content
	default:
		s.Draft.Skills = evolveSkills(s.Draft.Skills, e)
	}
	return s
}

// equal compares by value; an absent list equals an empty one.
func (c Content) equal(other Content) bool {
	return c.Title == other.Title && c.Badge == other.Badge && c.Description == other.Description &&
		slices.Equal(c.Responsibilities, other.Responsibilities) && slices.Equal(c.Skills, other.Skills)
}

// goals adjusts a benchmark by the percentage of an AdjustGoal.
func goals(b skill.Benchmark, percent int) skill.Thresholds {
	return roleiq.Adjust(b.Thresholds, percent)
}
