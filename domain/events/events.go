// Package events joins the catalogs of all aggregates, for those who read the whole log.
package events

import (
	"rolewise/domain"
	"rolewise/domain/apikey"
	"rolewise/domain/assignment"
	"rolewise/domain/category"
	"rolewise/domain/command"
	"rolewise/domain/member"
	"rolewise/domain/pathway"
	"rolewise/domain/plan"
	"rolewise/domain/progress"
	"rolewise/domain/reactor"
	"rolewise/domain/reservation"
	"rolewise/domain/results"
	"rolewise/domain/role"
	"rolewise/domain/seats"
	"rolewise/domain/skill"
	"rolewise/domain/team"
)

// All lists every event type there is.
var All = domain.Join(plan.Events, member.Events, team.Events, skill.Events, role.Events, category.Events, pathway.Events, assignment.Events,
	results.Events, progress.Events, apikey.Events, reservation.Events, seats.Events, command.Events, reactor.Events)
