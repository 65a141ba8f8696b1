package api

import (
	"context"
	"strconv"
	"strings"
	"time"

	"rolewise/domain"
	"rolewise/readmodels"
)

// RolesReport is the report on all roles (SPEC ANA-1).
type RolesReport struct {
	List[readmodels.RoleLine]
	Totals  readmodels.TotalLine `json:"totals" doc:"Distinct members over all roles."`
	Members int                  `json:"members"`
	Metric  string               `json:"metric" doc:"Definition of engaged."`
}

// RoleReport is the report on one role (SPEC ANA-2).
type RoleReport struct {
	Item   readmodels.RoleLine    `json:"item"`
	Skills []readmodels.SkillLine `json:"skills" nullable:"false"`
	Metric string                 `json:"metric" doc:"Definition of engaged."`
}

func (s *server) analyticsRoles(c *call) (answer, error) {
	want := c.page()
	if err := c.params.err(); err != nil {
		return answer{}, err
	}
	report, at, err := s.Queries.AnalyticsRoles(c.ctx, string(c.plan), want)
	return answer{content: RolesReport{listed(c, report.List), report.Totals, report.Members, report.Metric}, at: at}, err
}

func (s *server) analyticsRole(c *call) (answer, error) {
	id, err := c.one("role")
	if err != nil {
		return answer{}, err
	}
	report, at, err := s.Queries.AnalyticsRole(c.ctx, string(c.plan), id, c.min)
	if err == nil && report == nil {
		err = domain.Missing("role")
	}
	if err != nil {
		return answer{}, err
	}
	content := RoleReport{Item: report.RoleLine, Skills: report.Skills, Metric: report.Metric}
	if content.Skills == nil {
		content.Skills = []readmodels.SkillLine{}
	}
	return answer{content: content, at: at}, nil
}

func (s *server) analyticsMembers(c *call) (answer, error) {
	if c.params.values.Has(rowsParam.Name) {
		c.params.wrong(rowsParam.Name, "csv_only", "is about the CSV only")
	}
	want := c.page()
	id, err := c.one("role")
	if err != nil {
		return answer{}, err
	}
	page, at, err := s.Queries.AnalyticsMembers(c.ctx, string(c.plan), id, want)
	if err == nil && page == nil {
		err = domain.Missing("role")
	}
	if err != nil {
		return answer{}, err
	}
	return answer{content: listed(c, *page), at: at}, nil
}

// analyticsRolesSheet, like the other sheets, has the columns of the JSON, nested ones joined by _ (SPEC ANA-8).
func (s *server) analyticsRolesSheet(c *call) (*sheet, error) {
	if err := c.params.err(); err != nil {
		return nil, err
	}
	return &sheet{
		name: "analytics-roles",
		header: []string{
			"role", "title", "version", "beta", "assigned", "engaged", "started", "in_progress", "pending", "completed",
			"levels_beginner", "levels_entry", "levels_mid", "levels_senior",
		},
		page: func(ctx context.Context, want readmodels.Want) ([][]string, string, readmodels.Checkpoint, error) {
			report, at, err := s.Queries.AnalyticsRoles(ctx, string(c.plan), want)
			rows := make([][]string, len(report.Items))
			for i, line := range report.Items {
				counts := numbers(line.Assigned, line.Engaged, line.Started, line.InProgress, line.Pending, line.Completed,
					line.Levels.Beginner, line.Levels.Entry, line.Levels.Mid, line.Levels.Senior)
				rows[i] = append([]string{line.Role, line.Title, strconv.Itoa(line.Version), strconv.FormatBool(line.Beta)}, counts...)
			}
			return rows, report.Next, at, err
		},
	}, nil
}

func (s *server) analyticsRoleSheet(c *call) (*sheet, error) {
	id, err := c.one("role")
	if err != nil {
		return nil, err
	}
	return &sheet{
		name: "analytics-role-" + id,
		header: []string{
			"skill", "name", "required", "goals_entry", "goals_mid", "goals_senior", "measured", "levels_novice", "levels_emerging",
			"levels_average", "levels_above_average", "levels_expert", "average_level", "meets_entry", "meets_mid", "meets_senior",
		},
		page: func(ctx context.Context, want readmodels.Want) ([][]string, string, readmodels.Checkpoint, error) {
			report, at, err := s.Queries.AnalyticsRole(ctx, string(c.plan), id, want.Min)
			if err == nil && report == nil {
				err = domain.Missing("role")
			}
			if err != nil {
				return nil, "", at, err
			}
			rows := make([][]string, len(report.Skills))
			for i, line := range report.Skills {
				rows[i] = skillRow(line)
			}
			return rows, "", at, nil
		},
	}, nil
}

func skillRow(line readmodels.SkillLine) []string {
	average := ""
	if line.AverageLevel != nil {
		average = strconv.FormatFloat(*line.AverageLevel, 'f', -1, 64)
	}
	row := []string{line.Skill, line.Name, strconv.FormatBool(line.Required)}
	row = append(row, numbers(line.Goals[0], line.Goals[1], line.Goals[2], line.Measured,
		line.Levels.Novice, line.Levels.Emerging, line.Levels.Average, line.Levels.AboveAverage, line.Levels.Expert)...)
	return append(append(row, average), numbers(line.Meets.Entry, line.Meets.Mid, line.Meets.Senior)...)
}

func (s *server) analyticsMembersSheet(c *call) (*sheet, error) {
	bySkill := c.params.oneOf(rowsParam) == "skills"
	id, err := c.one("role")
	if err != nil {
		return nil, err
	}
	header := []string{
		"member", "name", "email", "teams", "paths", "state", "selected_level", "level", "required_done", "required_total", "last_measured", "version", "rule",
	}
	if bySkill {
		header = append(header, "skills_skill", "skills_name", "skills_required", "skills_level", "skills_measured_at", "skills_stale", "skills_next_retake")
	}
	return &sheet{
		name:   "analytics-role-" + id + "-members",
		header: header,
		page: func(ctx context.Context, want readmodels.Want) ([][]string, string, readmodels.Checkpoint, error) {
			page, at, err := s.Queries.AnalyticsMembers(ctx, string(c.plan), id, want)
			if err == nil && page == nil {
				err = domain.Missing("role")
			}
			if err != nil {
				return nil, "", at, err
			}
			var rows [][]string
			for _, line := range page.Items {
				rows = append(rows, memberRows(line, bySkill)...)
			}
			return rows, page.Next, at, nil
		},
	}, nil
}

// memberRows returns the row of a member, or one for each skill; a member of a role without skills has one all the same.
func memberRows(line readmodels.MemberLine, bySkill bool) [][]string {
	base := []string{
		line.Member, line.Name, line.Email, strings.Join(line.Teams, ";"), strings.Join(line.Paths, ";"), line.State,
		orNothing(line.SelectedLevel), orNothing(line.Level), strconv.Itoa(line.RequiredDone), strconv.Itoa(line.RequiredTotal),
		moment(line.LastMeasured), strconv.Itoa(line.Version), line.Rule,
	}
	switch {
	case !bySkill:
		return [][]string{base}
	case len(line.Skills) == 0:
		return [][]string{append(base, "", "", "", "", "", "", "")}
	}
	rows := make([][]string, len(line.Skills))
	for i, skill := range line.Skills {
		rows[i] = append(base[:len(base):len(base)], skill.Skill, skill.Name, strconv.FormatBool(skill.Required),
			orNothing(skill.Level), moment(skill.MeasuredAt), strconv.FormatBool(skill.Stale), moment(skill.NextRetake))
	}
	return rows
}

func numbers(all ...int) []string {
	texts := make([]string, len(all))
	for i, n := range all {
		texts[i] = strconv.Itoa(n)
	}
	return texts
}

func orNothing(text *string) string {
	if text == nil {
		return ""
	}
	return *text
}

func moment(t *time.Time) string {
	if t == nil {
		return ""
	}
	return t.UTC().Format(time.RFC3339Nano)
}
