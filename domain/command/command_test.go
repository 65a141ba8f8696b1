package command_test

import (
	"testing"

	"rolewise/domain"
	"rolewise/domain/command"
)

func TestEvolve(t *testing.T) {
	first := command.CommandClaimed{Name: "invite-member", BodyHash: "aa", Stream: "member-acme.1", NewID: "1"}
	second := command.CommandClaimed{Name: "invite-member", BodyHash: "bb", Stream: "member-acme.2", NewID: "2"}
	answered := command.CommandAnswered{BodyHash: "aa", Answer: []byte(`{}`)}
	accepted := command.CommandAccepted{Command: "1", Name: "assign-role", BodyHash: "aa", Role: "r", Members: []domain.MemberID{"m"}, Mode: "atomic"}
	acceptance := accepted.Claim()
	tests := []struct {
		name     string
		given    []command.Event
		claim    *command.CommandClaimed
		answered bool
	}{
		{"API-1 a claim is remembered", []command.Event{first}, &first, false},
		{"API-1 a refusal is not remembered", []command.Event{first, command.CommandReleased{}}, nil, false},
		{"API-1 a released key can be claimed for another body", []command.Event{first, command.CommandReleased{}, second}, &second, false},
		{"API-1 an answer is remembered beside the claim", []command.Event{first, answered}, &first, true},
		{"ASG-5 an acceptance is a claim", []command.Event{accepted}, &acceptance, false},
		{"ASG-5 a resumed command is not answered", []command.Event{accepted, command.CommandResumed{}}, &acceptance, false},
		{"ASG-5 the answer of an accepted command is remembered", []command.Event{accepted, answered}, &acceptance, true},
		{"API-1 an answer without a claim is remembered", []command.Event{answered}, nil, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var s command.State
			for _, event := range tt.given {
				s = command.Evolve(s, event)
			}
			if (s.Claim == nil) != (tt.claim == nil) || (s.Claim != nil && *s.Claim != *tt.claim) {
				t.Errorf("claim %+v, want %+v", s.Claim, tt.claim)
			}
			if s.Accepted != (tt.claim == &acceptance) {
				t.Errorf("accepted %t", s.Accepted)
			}
			if (s.Answered != nil) != tt.answered || (s.Answered != nil && (s.Answered.BodyHash != "aa" || string(s.Answered.Answer) != `{}`)) {
				t.Errorf("answer %+v, want one: %t", s.Answered, tt.answered)
			}
		})
	}
}
