package main

import (
	"errors"
	"slices"
)

// role is what one process does of the whole: with an event store and a Redis that several can reach, the API and the
// projections may run apart, each more than once (SPEC OPS-6).
type role string

const (
	roleAll       role = "all"
	roleAPI       role = "api"
	roleProjector role = "projector"
)

// answers tells whether the process serves queries and commands.
func (r role) answers() bool { return r != roleProjector }

// projects tells whether the process builds the read models.
func (r role) projects() bool { return r != roleAPI }

// String, Set and Type make a role a flag.
func (r *role) String() string { return string(*r) }

func (r *role) Set(text string) error {
	if !slices.Contains([]role{roleAll, roleAPI, roleProjector}, role(text)) {
		return errors.New("must be all, api or projector")
	}
	*r = role(text)
	return nil
}

func (*role) Type() string { return "string" }

// faults returns what the projections of this process stand still at; those of other processes are seen by how far
// their read models lie behind.
func (s *system) faults() map[string]error {
	if s.runner == nil {
		return nil
	}
	return s.runner.Faults()
}

// parked tells of how many streams events wait in each projection of this process.
func (s *system) parked() map[string]int {
	if s.runner == nil {
		return nil
	}
	return s.runner.Parked()
}
