package api

import (
	"rolewise/domain"
	"rolewise/domain/role"
	"rolewise/history"
	"rolewise/readmodels"
)

// WhatIf is what publishing a draft would do to those who hold the role.
type WhatIf struct {
	Item history.Publication `json:"item"`
	Next *string             `json:"next" doc:"Pass it as cursor to get the next page of changes; null at the end."`
}

// editableRole returns the role of the path if the caller may edit it.
func (s *server) editableRole(c *call) (*readmodels.RoleRow, readmodels.Checkpoint, error) {
	row, at, err := s.oneRole(c)
	if err != nil {
		return nil, at, err
	}
	rights, err := s.rights(c, c.plan, row.Creator)
	if err == nil {
		err = rights.Edit()
	}
	return row, at, err
}

func (s *server) diff(c *call) (answer, error) {
	row, at, err := s.editableRole(c)
	if err != nil {
		return answer{}, err
	}
	return answer{content: Item[readmodels.RoleDiff]{row.Diff()}, at: at}, nil
}

// whatIf takes the draft from the event store, so that it is the one that publish-role would publish now.
func (s *server) whatIf(c *call) (answer, error) {
	on := c.params.oneOf(onPublishParam)
	want := c.page(on)
	row, _, err := s.editableRole(c)
	if err != nil {
		return answer{}, err
	}
	id := domain.RoleID(row.Role)
	state, err := s.Commands.Role(c.ctx, c.plan, id)
	switch {
	case err != nil:
		return answer{}, err
	case state.Deleted: // it is not published any more
		return answer{}, domain.Missing("role")
	}
	events, err := role.Decider.Decide(state, role.Publish{Role: id, OnPublish: role.OnPublish(on)})
	if err != nil {
		return answer{}, err
	}
	var found history.Publication
	var at readmodels.Checkpoint
	if len(events) == 0 { // the draft is what is in force
		found, at, err = history.Unchanged(c.ctx, s.Queries, string(c.plan), id, state.Version, want)
	} else {
		found, at, err = history.Publish(c.ctx, s.Queries, string(c.plan), events[0].(role.RolePublished), want)
	}
	if err != nil {
		return answer{}, err
	}
	return answer{content: WhatIf{found, c.cursor(found.Next)}, at: at}, nil
}

func (s *server) pathway(c *call) (answer, error) {
	id, err := c.one("role")
	if err != nil {
		return answer{}, err
	}
	row, at, err := s.Queries.Pathway(c.ctx, string(c.plan), id, c.min)
	if err == nil && row != nil { // a draft is for those who may edit it
		own, _, failure := s.Queries.Role(c.ctx, string(c.plan), id, c.min)
		if err = failure; err == nil && own != nil {
			if own, err = s.show(c, c.plan, own); own == nil {
				row = nil
			}
		}
	}
	if err == nil && row == nil {
		err = domain.Missing("role")
	}
	return answer{content: Item[*readmodels.PathwayRow]{row}, at: at}, err
}

func (s *server) categories(c *call) (answer, error) {
	want := c.page()
	if err := c.params.err(); err != nil {
		return answer{}, err
	}
	page, at, err := s.Queries.Categories(c.ctx, string(c.plan), want)
	return answer{content: listed(c, page), at: at}, err
}
