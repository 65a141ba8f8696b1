package commands

import (
	"encoding/json"
	"errors"

	"rolewise/domain"
	"rolewise/domain/access"
	"rolewise/domain/member"
	"rolewise/domain/plan"
	"rolewise/eventstore"
)

// CreatePlan creates a plan and invites its first owner.
type CreatePlan struct {
	Plan       domain.PlanID `json:"plan" doc:"Id of the new plan: 2 to 40 of a-z, 0-9 and -."`
	Name       string        `json:"name"`
	Tier       plan.Tier     `json:"tier" enum:"standard,premium,starter,professional,enterprise"`
	OwnerName  string        `json:"owner_name"`
	OwnerEmail string        `json:"owner_email"`
}

func (CreatePlan) About() About {
	return About{Name: "create-plan", Summary: "Create a plan with its first owner.", Action: access.OperatePlans}
}

// run appends to two streams, the plan's and the owner's. A crash in between is healed by a repeat under the same key.
func (c CreatePlan) run(w *work) (Answer, error) {
	w.several = true
	owner := domain.MemberID(w.newID(""))
	invite := member.Invite{Member: owner, Name: c.OwnerName, Email: c.OwnerEmail, AccessRole: member.Owner}
	if _, err := member.Decider.Decide(member.Decider.Initial(), invite); err != nil {
		return Answer{}, ownerFields(err)
	}
	answer, err := decide(w, plans, eventstore.PlanWide, func(plan.State) (plan.Command, error) {
		return plan.Create{Plan: c.Plan, Name: c.Name, Tier: c.Tier, Owner: owner}, nil
	})
	if err != nil || w.req.DryRun {
		return answer, err
	}
	invited, err := w.invite(owner, func() (member.Invite, error) { return invite, nil })
	if domain.CodeOf(err) == "member_exists" { // by the earlier request that created the plan under this key
		err = nil
	}
	if err != nil {
		return Answer{}, ownerFields(err)
	}
	answer.ID = string(c.Plan)
	if invited.Position != "" {
		answer.Position = invited.Position
	}
	return answer, nil
}

// The operator's commands name their plan in the body too; Handle sees to it that it is the request's.
func (c CreatePlan) plan() domain.PlanID          { return c.Plan }
func (c ChangePlanTier) plan() domain.PlanID      { return c.Plan }
func (c GrantPlanFeature) plan() domain.PlanID    { return c.Plan }
func (c WithdrawPlanFeature) plan() domain.PlanID { return c.Plan }
func (c SetPlanLicences) plan() domain.PlanID     { return c.Plan }

// ownerFields names the fields as this command does.
func ownerFields(err error) error {
	var refusal *domain.Error
	if errors.As(err, &refusal) && (refusal.Field == "/name" || refusal.Field == "/email") {
		return refusal.At("/owner_" + refusal.Field[1:])
	}
	return err
}

// ChangePlanTier moves a plan to another tier. Nothing is lost by a downgrade (SPEC PLN-2).
type ChangePlanTier struct {
	Plan domain.PlanID `json:"plan"`
	Tier plan.Tier     `json:"tier" enum:"standard,premium,starter,professional,enterprise"`
}

func (ChangePlanTier) About() About {
	return About{Name: "change-plan-tier", Summary: "Move a plan to another tier.", Action: access.OperatePlans}
}

func (c ChangePlanTier) run(w *work) (Answer, error) {
	return w.decidePlan(plan.ChangeTier{Tier: c.Tier})
}

// GrantPlanFeature gives one plan a feature that its tier lacks.
type GrantPlanFeature struct {
	Plan    domain.PlanID `json:"plan"`
	Feature plan.Feature  `json:"feature" enum:"roles,authoring,advanced_analytics,careers,training,scim,audit"`
}

func (GrantPlanFeature) About() About {
	return About{Name: "grant-plan-feature", Summary: "Give one plan a feature that its tier lacks.", Action: access.OperatePlans}
}

func (c GrantPlanFeature) run(w *work) (Answer, error) {
	return w.decidePlan(plan.GrantFeature{Feature: c.Feature})
}

// WithdrawPlanFeature takes a feature from one plan.
type WithdrawPlanFeature struct {
	Plan    domain.PlanID `json:"plan"`
	Feature plan.Feature  `json:"feature" enum:"roles,authoring,advanced_analytics,careers,training,scim,audit"`
}

func (WithdrawPlanFeature) About() About {
	return About{Name: "withdraw-plan-feature", Summary: "Take a feature from one plan.", Action: access.OperatePlans}
}

func (c WithdrawPlanFeature) run(w *work) (Answer, error) {
	return w.decidePlan(plan.WithdrawFeature{Feature: c.Feature})
}

// SetPlanLicences says for how many members at a time the plan has bought content access (SPEC ACC-3).
type SetPlanLicences struct {
	Plan     domain.PlanID `json:"plan"`
	Licences int           `json:"licences" doc:"0 to 10,000,000. Fewer than are granted takes none away, but no more are granted."`
}

func (SetPlanLicences) About() About {
	return About{Name: "set-plan-licences", Summary: "Set how many members may have content access.", Action: access.OperatePlans}
}

func (c SetPlanLicences) run(w *work) (Answer, error) {
	return w.decidePlan(plan.SetLicences{Licences: c.Licences})
}

// SetPolicy sets one policy of the plan.
type SetPolicy struct {
	Policy string          `json:"policy" enum:"recalculation,level_rule,role_editing,directory_visibility"`
	Value  json.RawMessage `json:"value" doc:"recalculation: \"automatic\" or \"on_visit\". level_rule: its name, or {\"name\":\"k_of_n.v1\",\"k\":3}. role_editing: \"creator\" or \"admins\". directory_visibility: \"published\" or \"featured_category\"."`
}

func (SetPolicy) About() About {
	return About{Name: "set-policy", Summary: "Set one policy of the plan.", Action: access.ManagePlan}
}

func (c SetPolicy) run(w *work) (Answer, error) {
	wrong := domain.Invalidf("/value", "invalid_policy_value", "is not a value of this policy")
	var text string
	isText := json.Unmarshal(c.Value, &text) == nil
	switch c.Policy {
	case "recalculation":
		if !isText {
			return Answer{}, wrong
		}
		return w.decidePlan(plan.SetRecalculation{Recalculation: plan.Recalculation(text)})
	case "role_editing":
		if !isText {
			return Answer{}, wrong
		}
		return w.decidePlan(plan.SetRoleEditing{Editing: plan.RoleEditing(text)})
	case "directory_visibility":
		if !isText {
			return Answer{}, wrong
		}
		return w.decidePlan(plan.SetDirectoryVisibility{Visibility: plan.DirectoryVisibility(text)})
	case "level_rule":
		rule := plan.LevelRule{Name: plan.RuleName(text)}
		if !isText && json.Unmarshal(c.Value, &rule) != nil {
			return Answer{}, wrong
		}
		return w.decidePlan(plan.SetLevelRule{Rule: rule})
	}
	return Answer{}, domain.Invalidf("/policy", "unknown_policy", "there is no such policy")
}

func (w *work) decidePlan(c plan.Command) (Answer, error) {
	return decide(w, plans, eventstore.PlanWide, func(plan.State) (plan.Command, error) { return c, nil })
}
