package eventstore

import (
	"strings"
	"unicode/utf8"
)

// PlanWide is the id of a stream of which each plan has one, such as the tree of its teams.
const PlanWide = "plan"

// StreamID names a stream: "category-plan.id". The plan is part of the name, so that no stream is addressed without it.
type StreamID struct {
	Category string // lower-case letters
	Plan     string // [a-z0-9-]{2,40}
	ID       string // any text of 1 to 1,024 bytes; never personal data
}

// String returns the name under which the stream is stored.
func (s StreamID) String() string { return s.Category + "-" + s.Plan + "." + s.ID }

// ParseStreamID is the inverse of String.
func ParseStreamID(name string) (StreamID, error) {
	category, rest, ok := strings.Cut(name, "-")
	plan, id, ok2 := strings.Cut(rest, ".")
	s := StreamID{Category: category, Plan: plan, ID: id}
	if !ok || !ok2 {
		return StreamID{}, &InvalidError{What: "stream", Why: "must look like category-plan.id"}
	}
	return s, s.Validate()
}

// Validate refuses names that could not be read back, or that stand for another stream.
func (s StreamID) Validate() error {
	switch {
	case s.Category == "" || strings.Trim(s.Category, "abcdefghijklmnopqrstuvwxyz") != "":
		return &InvalidError{What: "stream category", Why: "must be lower-case letters"}
	case !ValidPlan(s.Plan):
		return &InvalidError{What: "stream plan", Why: "must be 2 to 40 of a-z, 0-9 and -"}
	case s.ID == "" || len(s.ID) > 1024:
		return &InvalidError{What: "stream id", Why: "must have 1 to 1,024 bytes"}
	case !utf8.ValidString(s.ID):
		return &InvalidError{What: "stream id", Why: "must be valid UTF-8"}
	case strings.ContainsRune(s.ID, 0):
		return &InvalidError{What: "stream id", Why: "must not contain a zero byte"}
	}
	return nil
}

// ValidPlan tells whether s can be a plan id: [a-z0-9-]{2,40}.
func ValidPlan(s string) bool {
	return len(s) >= 2 && len(s) <= 40 && strings.Trim(s, "abcdefghijklmnopqrstuvwxyz0123456789-") == ""
}
