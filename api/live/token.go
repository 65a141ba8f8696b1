package live

import (
	"fmt"
	"strconv"
	"strings"

	"rolewise/eventstore"
	"rolewise/readmodels"
)

// Told is what a client knows of the changes of a plan: for each projection, by its name, up to where. Projections
// commit separately, so one position for all could pass over a change of one that was behind.
type Told struct {
	Epoch  int // of the log
	Points map[string]Point
}

// Point is how far the changes of one projection were told.
type Point struct {
	Build    readmodels.Build    // that answered
	Repairs  int                 // of it
	Position eventstore.Position // of the last change told
}

// ToldAt is what a client knows that has seen all reports as they were at a position.
func ToldAt(epoch int, position eventstore.Position, points map[string]Point) Told {
	told := Told{Epoch: epoch, Points: map[string]Point{}}
	for name, point := range points {
		told.Points[name] = Point{point.Build, point.Repairs, position}
	}
	return told
}

// String is the form that ParseTold reads: "1 directory@2/0:17 roles@2+1795323600/0:12 …", the epoch, then for each
// projection in force the build that answered, its repairs and the position.
func (t Told) String() string {
	text := strconv.Itoa(t.Epoch)
	for _, scope := range readmodels.Scopes() {
		if point, known := t.Points[scope.Projection]; known {
			text += fmt.Sprintf(" %s@%s/%d:%s", scope.Projection, point.Build, point.Repairs, point.Position)
		}
	}
	return text
}

// ParseTold reads what String wrote, possibly before a projection was added or taken away, and nothing else.
func ParseTold(text string) (told Told, ok bool) {
	parts := strings.Split(text, " ")
	told.Points = map[string]Point{}
	if told.Epoch, ok = number(parts[0]); !ok {
		return told, false
	}
	for _, part := range parts[1:] {
		name, rest, found := strings.Cut(part, "@")
		build, rest, found2 := strings.Cut(rest, "/")
		repairs, position, found3 := strings.Cut(rest, ":")
		if !found || !found2 || !found3 || name == "" {
			return told, false
		}
		var point Point
		var err error
		if point.Build, err = readmodels.ParseBuild(build); err != nil {
			return told, false
		}
		if point.Repairs, ok = number(repairs); !ok {
			return told, false
		}
		if point.Position, err = eventstore.ParsePosition(position); err != nil {
			return told, false
		}
		if _, twice := told.Points[name]; twice {
			return told, false
		}
		told.Points[name] = point
	}
	return told, true
}

// number reads a whole number from 0 as it is written by us.
func number(text string) (int, bool) {
	n, err := strconv.Atoi(text)
	return n, err == nil && n >= 0 && strconv.Itoa(n) == text
}
