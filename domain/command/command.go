// Package command keeps what an Idempotency-Key stands for, where the stream that a command changes cannot tell.
// Stream: command-<plan>.<command>.
//
// A claim is written before the first event of a command, with the hash of its body and the stream it is about to
// change: a repeat looks there for the first answer, and another body under the same key is refused. Answers without
// an event, and those of bulk commands, are kept here whole.
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
)

// Events of a keyed command.
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
	CommandAnswered struct {
		BodyHash BodyHash        `json:"body_hash"`
		Answer   json.RawMessage `json:"answer" personal:"-"` // ids, codes and positions only
	}
)

func (CommandClaimed) command()  {}
func (CommandReleased) command() {}
func (CommandAnswered) command() {}

// Events lists the event types of a keyed command.
var Events = domain.NewCatalog(
	domain.Type[CommandClaimed]("CommandClaimed"),
	domain.Type[CommandReleased]("CommandReleased"),
	domain.Type[CommandAnswered]("CommandAnswered"),
)

// State is what is known of a keyed command.
type State struct {
	Claim    *CommandClaimed
	Answered *CommandAnswered
}

// Evolve applies an event. There is nothing to decide: the handler of all commands writes these events itself.
func Evolve(s State, e Event) State {
	switch e := e.(type) {
	case CommandClaimed:
		s.Claim = &e
	case CommandReleased:
		s.Claim = nil
	case CommandAnswered:
		s.Answered = &e
	}
	return s
}
