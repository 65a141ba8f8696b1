// Package command keeps what is known of a command where the stream that it changes cannot tell: what an
// Idempotency-Key stands for, and what a bulk command has still to do.
// Stream: command-<plan>.<command>.
//
// A claim is written before the first event of a command, with the hash of its body and the stream it is about to
// change: a repeat looks there for the first answer, and another body under the same key is refused. Answers without
// an event, and those of bulk commands, are kept here whole.
//
// A bulk command of several items claims by saying all that it is to do, with or without a key: what was accepted can
// be finished by whoever reads that (SPEC ASG-5).
package command

import (
	"encoding/json"

	"rolewise/domain"
)

// Category is the first part of the stream's name.
const Category = "command"

type (
	// BodyHash is the SHA-256 of a command's name and canonical body, in hexadecimal.
	BodyHash string
	// Name is the kebab-case name of a command.
	Name string
	// Stream is the name of an event stream.
	Stream string
	// NewID is the id that was made for what the command creates.
	NewID string
	// ID is the id of the command itself.
	ID string
	// Mode is partial or atomic.
	Mode string
)

// Events of a command.
type (
	Event interface{ command() }

	CommandClaimed struct {
		Name     Name     `json:"name"`
		BodyHash BodyHash `json:"body_hash"`
		Stream   Stream   `json:"stream,omitempty"`
		NewID    NewID    `json:"new_id,omitempty"`
	}
	// CommandReleased takes a claim back: the command was refused after all, and refusals are not remembered.
	CommandReleased struct{}
	// CommandAccepted is the claim of a bulk command with its whole body; who gave it, and when, is in the metadata. An
	// item that cannot be an id is kept as "-". The message is about many people: it is encrypted under a key of the
	// command's own, which is destroyed once the command is answered, since each person's copy is then in their stream.
	CommandAccepted struct {
		Command  ID                `json:"command"`
		Name     Name              `json:"name"`
		BodyHash BodyHash          `json:"body_hash"`
		Role     domain.RoleID     `json:"role"`
		Members  []domain.MemberID `json:"members,omitempty"`
		Teams    []domain.TeamID   `json:"teams,omitempty"`
		Message  string            `json:"message,omitempty" personal:"command"`
		Notify   bool              `json:"notify"`
		Mode     Mode              `json:"mode"`
	}
	// CommandResumed says that another process than the one that accepted the command is finishing it now.
	CommandResumed  struct{}
	CommandAnswered struct {
		BodyHash BodyHash        `json:"body_hash"`
		Answer   json.RawMessage `json:"answer" personal:"-"` // ids, codes and positions only
	}
)

func (CommandClaimed) command()  {}
func (CommandReleased) command() {}
func (CommandAccepted) command() {}
func (CommandResumed) command()  {}
func (CommandAnswered) command() {}

// Events lists the event types of a command.
var Events = domain.NewCatalog(
	domain.Type[CommandClaimed]("CommandClaimed"),
	domain.Type[CommandReleased]("CommandReleased"),
	domain.Type[CommandAccepted]("CommandAccepted"),
	domain.Type[CommandResumed]("CommandResumed"),
	domain.Type[CommandAnswered]("CommandAnswered"),
)

// Claim is what acceptance means for the key.
func (e CommandAccepted) Claim() CommandClaimed {
	return CommandClaimed{Name: e.Name, BodyHash: e.BodyHash}
}

// State is what is known of a command.
type State struct {
	Claim    *CommandClaimed
	Accepted bool // the claim is a CommandAccepted
	Answered *CommandAnswered
}

// Evolve applies an event. There is nothing to decide: the handler of all commands writes these events itself.
func Evolve(s State, e Event) State {
	switch e := e.(type) {
	case CommandClaimed:
		s.Claim, s.Accepted = &e, false
	case CommandReleased:
		s.Claim, s.Accepted = nil, false
	case CommandAccepted:
		claim := e.Claim()
		s.Claim, s.Accepted = &claim, true
	case CommandAnswered:
		s.Answered = &e
	}
	return s
}
