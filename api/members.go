package api

import (
	"strconv"

	"rolewise/domain"
	"rolewise/domain/access"
	"rolewise/readmodels"
)

// members lists members. Those removed are seen by who may see them, and asked for by name (SPEC MEM-2).
func (s *server) members(c *call) (answer, error) {
	filter := readmodels.MemberFilter{
		Search: c.params.search(), Status: c.params.oneOf(memberStateParam), Team: c.params.id(teamParam.Name), Nested: c.params.flag(nestedParam.Name),
	}
	if filter.Nested && filter.Team == "" {
		c.params.wrong(nestedParam.Name, "team_required", "goes with a team")
	}
	want := c.page(filter.Search, filter.Status, filter.Team, strconv.FormatBool(filter.Nested))
	if err := c.params.err(); err != nil {
		return answer{}, err
	}
	if filter.Status == readmodels.Removed || filter.Status == readmodels.AllMembers {
		if err := c.principal.May(access.SeeRemoved, c.plan); err != nil {
			return answer{}, err
		}
	}
	page, at, err := s.Queries.Members(c.ctx, string(c.plan), filter, want)
	return answer{content: listed(c, page), at: at}, err
}

func (s *server) member(c *call) (answer, error) {
	id, err := c.one("member")
	if err != nil {
		return answer{}, err
	}
	row, at, err := s.Queries.Member(c.ctx, string(c.plan), id, c.min)
	if err == nil && (row == nil || row.Status == readmodels.Removed && c.principal.May(access.SeeRemoved, c.plan) != nil) {
		err = domain.Missing("member")
	}
	return answer{content: Item[*readmodels.MemberRow]{row}, at: at}, err
}

// seen refuses a removed member to who may not see them, as one that does not exist.
func (s *server) seen(c *call, id string) error {
	if c.principal.May(access.SeeRemoved, c.plan) == nil {
		return nil
	}
	state, err := s.Commands.Member(c.ctx, c.plan, domain.MemberID(id))
	if err == nil && state.Removed {
		err = domain.Missing("member")
	}
	return err
}

// teams lists the teams, those below one, or those at the top: the tree, level by level (SPEC MEM-3).
func (s *server) teams(c *call) (answer, error) {
	parent := c.params.id(parentParam.Name, readmodels.TopTeams)
	want := c.page(parent)
	if err := c.params.err(); err != nil {
		return answer{}, err
	}
	page, at, err := s.Queries.Teams(c.ctx, string(c.plan), parent, want)
	return answer{content: listed(c, page), at: at}, err
}

func (s *server) team(c *call) (answer, error) {
	id, err := c.one("team")
	if err != nil {
		return answer{}, err
	}
	place, at, err := s.Queries.Team(c.ctx, string(c.plan), id, c.min)
	if err == nil && place == nil {
		err = domain.Missing("team")
	}
	return answer{content: Item[*readmodels.TeamPlace]{place}, at: at}, err
}
