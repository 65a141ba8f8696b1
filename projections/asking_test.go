package projections_test

import (
	"rolewise/domain"
	"rolewise/readmodels"
)

// What a test asks of the read models, folded up to the end of the log first.

// everything asks for a whole list.
var everything = readmodels.Want{Limit: 1000}

// stands is a member's standing in a role in short: "completed senior 2/2", or "none".
func (p *tenant) stands(m domain.MemberID, r domain.RoleID) string {
	p.Helper()
	row := p.progress(m, r)
	if row == nil {
		return "none"
	}
	return short(row.State, row.Level, row.RequiredDone, row.RequiredTotal)
}

func short(state string, level *string, done, total int) string {
	if level != nil {
		state += " " + *level
	}
	return state + " " + string(rune('0'+done)) + "/" + string(rune('0'+total))
}

// expect asks for a standing and compares. The analytics must tell the same of the member.
func (p *tenant) expect(m domain.MemberID, r domain.RoleID, want string) {
	p.Helper()
	if got := p.stands(m, r); got != want {
		p.Errorf("progress: %s, want %s", got, want)
	}
	got := "none"
	if line := p.memberLine(m, r); line != nil {
		got = short(line.State, line.Level, line.RequiredDone, line.RequiredTotal)
	}
	if got != want {
		p.Errorf("analytics of members: %s, want %s", got, want)
	}
}

func (p *tenant) progress(m domain.MemberID, r domain.RoleID) *readmodels.ProgressRow {
	p.Helper()
	p.fold()
	rows, _, err := p.ask.MemberProgress(p.Context(), string(p.id), string(m), 0)
	if err != nil {
		p.Fatal(err)
	}
	for i := range rows {
		if rows[i].Role == string(r) {
			return &rows[i]
		}
	}
	return nil
}

func (p *tenant) memberLines(r domain.RoleID) []readmodels.MemberLine {
	p.Helper()
	p.fold()
	page, _, err := p.ask.AnalyticsMembers(p.Context(), string(p.id), string(r), everything)
	if err != nil {
		p.Fatal(err)
	}
	if page == nil {
		return nil
	}
	return page.Items
}

func (p *tenant) memberLine(m domain.MemberID, r domain.RoleID) *readmodels.MemberLine {
	p.Helper()
	for _, line := range p.memberLines(r) {
		if line.Member == string(m) {
			return &line
		}
	}
	return nil
}

func (p *tenant) report() readmodels.RolesReport {
	p.Helper()
	p.fold()
	report, _, err := p.ask.AnalyticsRoles(p.Context(), string(p.id), everything)
	if err != nil {
		p.Fatal(err)
	}
	return report
}

// roleReport is the report on one role, nil if there is none.
func (p *tenant) roleReport(r domain.RoleID) *readmodels.RoleReport {
	p.Helper()
	p.fold()
	report, _, err := p.ask.AnalyticsRole(p.Context(), string(p.id), string(r), 0)
	if err != nil {
		p.Fatal(err)
	}
	return report
}

// paths is by which paths a member holds a role, according to each of the three projections that tell.
func (p *tenant) paths(m domain.MemberID, r domain.RoleID) [3][]string {
	p.Helper()
	var paths [3][]string
	if row := p.progress(m, r); row != nil {
		paths[0] = row.Paths
	}
	if line := p.memberLine(m, r); line != nil {
		paths[1] = line.Paths
	}
	page, _, err := p.ask.RoleMembers(p.Context(), string(p.id), string(r), everything)
	if err != nil {
		p.Fatal(err)
	}
	for _, row := range page.Items {
		if row.Member == string(m) {
			paths[2] = row.Paths
		}
	}
	held, _, err := p.ask.HeldRoles(p.Context(), string(p.id), string(m), 0)
	if err != nil {
		p.Fatal(err)
	}
	equal(p, "held roles and members of the role", held[string(r)], paths[2])
	return paths
}

// expectPaths compares the paths that all projections tell.
func (p *tenant) expectPaths(m domain.MemberID, r domain.RoleID, want ...string) {
	p.Helper()
	for i, got := range p.paths(m, r) {
		if text(p, got) != text(p, want) {
			p.Errorf("paths by %s: %s, want %s", []string{"progress", "role analytics", "assignments"}[i], text(p, got), text(p, want))
		}
	}
}
