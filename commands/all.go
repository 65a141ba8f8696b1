package commands

// All lists one zero value of every command.
func All() []Command {
	return []Command{
		CreatePlan{}, ChangePlanTier{}, GrantPlanFeature{}, WithdrawPlanFeature{}, SetPlanLicences{}, SetPolicy{}, CreateAPIKey{}, RevokeAPIKey{},
		InviteMember{}, AcceptInvitation{}, ChangeMemberProfile{}, DeactivateMember{}, ReactivateMember{}, RemoveMember{},
		GrantAccessRole{}, WithdrawAccessRole{}, GrantContentAccess{}, WithdrawContentAccess{}, AddTeamMember{}, ChangeTeamRole{}, RemoveTeamMember{},
		CreateTeam{}, RenameTeam{}, MoveTeam{}, DeleteTeam{},
		DefineSkill{}, RenameSkill{}, ValidateSkill{}, RetireSkill{}, PublishBenchmark{}, RecordSkillIQ{}, InvalidateSkillIQ{},
		CreateRole{}, CustomizeRole{}, DuplicateRole{}, RenameRole{}, DescribeRole{}, AddRoleSkill{}, RemoveRoleSkill{},
		ReorderRoleSkills{}, SetSkillRequired{}, AdjustGoal{}, SetRequiredLevel{}, PublishRole{},
		PersonalizeBadge{}, CategorizeRole{}, SetPathway{}, DeleteRole{}, RestoreRole{}, TransferRole{}, CreateCategory{}, FeatureCategory{},
		AssignRole{}, UnassignRole{}, SelectLevel{}, VisitRole{}, RefreshProgress{},
	}
}
