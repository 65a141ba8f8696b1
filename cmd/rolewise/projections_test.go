package main

import (
	"context"
	"encoding/json"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"rolewise/eventstore"
	"rolewise/internal/redistest"
	"rolewise/readmodels"
)

// operating is a running process on a real Redis, and the command line of its operator.
type operating struct {
	*testing.T
	redis string
	log   *eventLog
	part  *part
}

func newOperating(t *testing.T) *operating {
	t.Helper()
	o := &operating{T: t, redis: redistest.Start(t), log: testLog(t)}
	o.part = startPart(t, roleAll, o.log, o.redis)
	o.part.await(t)
	return o
}

// in is the same in a test of a part.
func (o *operating) in(t *testing.T) *operating { return &operating{t, o.redis, o.log, o.part} }

// says runs a command that must succeed, and returns what it says.
func (o *operating) says(args ...string) string {
	o.Helper()
	code, stdout, stderr := run(o.bound(), append(args, "--redis", o.redis)...)
	if code != 0 || stderr != "" {
		o.Fatalf("%s: code %d, %q, %q", strings.Join(args, " "), code, stdout, stderr)
	}
	return stdout
}

func (o *operating) bound() context.Context {
	ctx, cancel := context.WithTimeout(o.Context(), time.Minute)
	o.Cleanup(cancel)
	return ctx
}

// refuses runs a command that must fail, with one line that says so and shows no address.
func (o *operating) refuses(want string, args ...string) {
	o.Helper()
	code, _, stderr := run(o.bound(), append(args, "--redis", o.redis)...)
	o.oneLine(code, stderr, want, args)
	o.lacks(stderr, "127.0.0.1")
}

// oneLine wants an error of one line that shows no password.
func (o *operating) oneLine(code int, stderr, want string, args []string) {
	o.Helper()
	if code != 1 || strings.Count(stderr, "\n") != 1 || !strings.Contains(stderr, want) || strings.Contains(stderr, "secret") {
		o.Errorf("%s: code %d, %q, want %q", strings.Join(args, " "), code, stderr, want)
	}
}

// line returns the fields of the line that begins with all of some words.
func (o *operating) line(text string, words ...string) []string {
	o.Helper()
	for line := range strings.Lines(text) {
		if fields := strings.Fields(line); len(fields) >= len(words) && strings.Join(fields[:len(words)], " ") == strings.Join(words, " ") {
			return fields
		}
	}
	o.Errorf("no line %q in\n%s", words, text)
	return make([]string, 10)
}

func (o *operating) lacks(text, part string) {
	o.Helper()
	if strings.Contains(text, part) {
		o.Errorf("%q still stands in\n%s", part, text)
	}
}

// until repeats a command until it says something, or no longer does.
func (o *operating) until(part string, there bool, args ...string) string {
	o.Helper()
	for ctx := o.bound(); ; {
		if text := o.says(args...); strings.Contains(text, part) == there {
			return text
		}
		select {
		case <-time.After(20 * time.Millisecond):
		case <-ctx.Done():
			o.Fatalf("%s never says so of %q", strings.Join(args, " "), part)
		}
	}
}

var numbered = regexp.MustCompile(`roles@([0-9]+\+[0-9]+)`)

func TestProjectionsCommand(t *testing.T) {
	o := newOperating(t)
	t.Run("OPS-4 list and status show every build", func(t *testing.T) {
		o := o.in(t)
		list := o.says("projections", "list")
		for _, scope := range readmodels.Scopes() {
			o.line(list, scope.Projection, scope.Build().String(), "live")
		}
		status := o.says("projections", "status", "roles")
		if fields := o.line(status, readmodels.Roles.In(8).String(), "live"); fields[4] != "100%" {
			t.Errorf("status %q", fields)
		}
		o.lacks(status, "directory")
		if all := o.says("projections", "status"); strings.Count(all, "\n") != 1+9*len(readmodels.Scopes()) {
			t.Errorf("status of all:\n%s", all)
		}
	})
	var first string
	t.Run("OPS-4 rebuild, promote and roll back", func(t *testing.T) {
		o := o.in(t)
		said := o.says("projections", "rebuild", "roles", "--wait")
		first = numbered.FindStringSubmatch(said)[1]
		if !strings.Contains(said, "roles@"+first+" is being built.") || !strings.Contains(said, "roles@"+first+" has caught up; rolewise projections promote roles lets") {
			t.Errorf("said\n%s", said)
		}
		o.line(o.says("projections", "list"), "roles", first, "building")
		if said := o.says("projections", "promote", "roles"); !strings.HasSuffix(said, "roles@"+first+" is live.\n") {
			t.Errorf("said\n%s", said)
		}
		list := o.says("projections", "list")
		o.line(list, "roles", first, "live")
		o.line(list, "roles", readmodels.Roles.Build().String(), "before")
		if err := o.part.writeAndSee(t.Context()); err != nil {
			t.Errorf("after the promotion: %v", err)
		}
		for _, want := range []string{readmodels.Roles.Build().String(), first} {
			if said := o.says("projections", "rollback", "roles"); said != "roles@"+want+" is live again.\n" {
				t.Errorf("said %q", said)
			}
		}
		o.part.readyz(t, 200, "ok")
	})
	t.Run("OPS-4 pause, resume and drop", func(t *testing.T) {
		o := o.in(t)
		if said := o.says("projections", "pause", "roles@"+readmodels.Roles.Build().String()); said != "roles@"+readmodels.Roles.Build().String()+" is paused.\n" {
			t.Errorf("said %q", said)
		}
		o.line(o.says("projections", "list"), "roles", readmodels.Roles.Build().String(), "before,", "paused")
		if said := o.says("projections", "resume", "roles@"+readmodels.Roles.Build().String()); said != "roles@"+readmodels.Roles.Build().String()+" goes on.\n" {
			t.Errorf("said %q", said)
		}
		o.refuses("neither paused nor stopped", "projections", "resume", "roles@"+readmodels.Roles.Build().String())
		if said := o.says("projections", "drop", "roles@"+readmodels.Roles.Build().String()); said != "roles@"+readmodels.Roles.Build().String()+" is given up; its data goes as soon as a process projects.\n" {
			t.Errorf("said %q", said)
		}
		list := o.until("leaving", false, "projections", "list")
		o.line(list, "roles", first, "live")
		if strings.Count(list, "\nroles ") != 1 {
			t.Errorf("what was dropped is still there:\n%s", list)
		}
	})
	t.Run("OPS-4 rebuild all at once, at a rate", func(t *testing.T) {
		o := o.in(t)
		said := o.says("projections", "rebuild", "--all", "--promote", "--rate", "100000", "--wait")
		for _, scope := range readmodels.Scopes() {
			if !regexp.MustCompile(scope.Projection + `@\S+ is live\.\n`).MatchString(said) {
				t.Errorf("%s is not live:\n%s", scope.Projection, said)
			}
		}
	})
	t.Run("OPS-4 a build that is paused is not waited for", func(t *testing.T) {
		o := o.in(t)
		said := o.says("projections", "rebuild", "roles", "roles")
		if strings.Count(said, "is being built") != 1 {
			t.Errorf("a projection named twice is built twice: %s", said)
		}
		next := numbered.FindStringSubmatch(said)[1]
		o.says("projections", "pause", "roles")
		o.refuses("is paused; rolewise projections resume roles goes on", "projections", "promote", "roles")
		o.says("projections", "drop", "roles@"+next)
		o.refuses("no such build of roles is under way", "projections", "promote", "roles")
	})
	t.Run("OPS-4 every refusal is one line", func(t *testing.T) {
		o := o.in(t)
		for want, args := range map[string]string{
			`there is no projection "rolls"; there are assignments`: "rebuild rolls",
			"there is no projection; there are assignments":         "status user:secret@127.0.0.1:6379",
			"names only":                      "status redis://user:secret@127.0.0.1:6379",
			"there is no build 7 of roles":    "drop roles@7",
			`"x" names no build`:              "drop roles@x",
			"name the build to drop, as in":   "drop roles",
			"is the one that queries read":    "drop directory@" + o.line(o.says("projections", "list"), "directory")[1],
			"give --all":                      "rebuild",
			"or give --all":                   "rebuild roles --all",
			"must not be negative":            "rebuild roles --rate -1",
			"takes at most 1 names":           "promote roles directory",
			"name a projection: assignments":  "pause",
			"cannot be built by this program": "rebuild directory@" + o.line(o.says("projections", "list"), "directory")[1],
			`unknown command "lst"`:           "lst",
			"there is no build 77+1 of roles": "pause roles@77+1",
			"name it as roles@":               "pause roles",
			"unknown flag: --promte":          "rebuild roles --promte",
		} {
			o.refuses(want, append([]string{"projections"}, strings.Fields(args)...)...)
		}
	})
	t.Run("OPS-4 a build by newer rules is not built over by an older program", func(t *testing.T) {
		o := o.in(t)
		for name, live := range map[string]int{"later": 1, "roles": readmodels.Roles.Version + 1} {
			_, err := readmodels.ChangeBuilds(t.Context(), o.part.models, name, func(b *readmodels.Builds) (*readmodels.Builds, error) {
				if b == nil {
					b = &readmodels.Builds{}
				}
				b.Live.Version = live
				return b, nil
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		o.refuses("cannot be built by this program", "projections", "rebuild", "later")
		o.refuses("is by newer rules", "projections", "rebuild", "roles")
	})
	t.Run("OPS-4 without read models it says what to do", func(t *testing.T) {
		o := o.in(t)
		for where, want := range map[string]string{
			"memory": "seen by their own process only", redistest.Start(t): "start one with rolewise serve",
			"redis://user:secret@127.0.0.1:1": "", "user:secret@127.0.0.1": "",
		} {
			args := []string{"projections", "list", "--redis", where}
			code, _, stderr := run(o.bound(), args...)
			o.oneLine(code, stderr, want, args)
		}
	})
}

// spoil appends an event that the read models of the members cannot apply.
func (o *operating) spoil(id string) (stream string) {
	o.Helper()
	at := eventstore.StreamID{Category: "team", Plan: string(emptyPlan), ID: id}
	meta := eventstore.Metadata{Plan: string(emptyPlan), Time: time.Now(), Actor: "test", Command: id, Correlation: "test", Schema: 1}
	_, err := o.log.Append(o.Context(), at, eventstore.NoStream, eventstore.Event{ID: uuid.New(), Type: "TeamCreated", Data: []byte(`{"team":5}`), Metadata: meta.Encode()})
	if err != nil {
		o.Fatal(err)
	}
	if err := o.part.caughtUp(o.Context()); err != nil {
		o.Fatal(err)
	}
	return at.String()
}

func TestParkedCommand(t *testing.T) {
	o := newOperating(t)
	if list := o.says("parked", "list"); strings.Count(list, "\n") != 1 {
		t.Errorf("nothing waits, and listed is\n%s", list)
	}
	if said := o.says("parked", "replay", "directory", "--all"); said != "Nothing waits.\n" {
		t.Errorf("said %q", said)
	}
	stream, other := o.spoil("broken"), o.spoil("worse")
	t.Run("OPS-5 what waits is listed and shown", func(t *testing.T) {
		o := o.in(t)
		for _, list := range []string{o.says("parked", "list"), o.says("parked", "list", "directory"), o.says("parked", "list", "directory@"+readmodels.Directory.Build().String())} {
			if strings.Count(list, "\n") != 3 || !strings.Contains(list, stream) || !strings.Contains(list, "team has the wrong type") {
				t.Errorf("listed is\n%s", list)
			}
		}
		o.lacks(o.says("parked", "list", "roles"), stream)
		if fields := o.line(o.says("projections", "list"), "directory"); fields[len(fields)-1] != "2" {
			t.Errorf("projections list: %q", fields)
		}
		var shown []struct {
			Scope  string
			Parked readmodels.ParkedStream
		}
		if err := json.Unmarshal([]byte(o.says("parked", "show", "directory", stream)), &shown); err != nil {
			t.Fatal(err)
		}
		if len(shown) != 1 || shown[0].Parked.Stream != stream || shown[0].Parked.Count != 1 || !strings.HasPrefix(shown[0].Scope, "directory@"+readmodels.Directory.Build().String()+"/") {
			t.Errorf("shown is %+v", shown)
		}
	})
	t.Run("OPS-5 what still cannot be applied goes on waiting", func(t *testing.T) {
		o := o.in(t)
		o.refuses(stream+" still waits", "parked", "replay", "directory", stream)
	})
	t.Run("OPS-4 a rebuild stops there, and goes on with --park", func(t *testing.T) {
		o := o.in(t)
		o.refuses("team has the wrong type", "projections", "rebuild", "directory", "--promote", "--wait")
		if list := o.says("projections", "list"); !strings.Contains(list, "has stopped: ") {
			t.Errorf("listed is\n%s", list)
		}
		o.says("projections", "resume", "directory", "--park")
		o.says("projections", "promote", "directory")
		if list := o.says("parked", "list", "directory"); strings.Count(list, stream) != 2 { // in both builds
			t.Errorf("listed is\n%s", list)
		}
		o.says("projections", "drop", "directory@"+readmodels.Directory.Build().String())
	})
	t.Run("OPS-5 what is given up is discarded, and can be taken back", func(t *testing.T) {
		o := o.in(t)
		if said := o.says("parked", "discard", "directory", stream); said != stream+" is discarded.\n" {
			t.Errorf("said %q", said)
		}
		o.lacks(o.says("parked", "list"), stream)
		if shown := o.says("parked", "show", "directory", stream); !strings.Contains(shown, `"discarded"`) {
			t.Errorf("shown is %s", shown)
		}
		o.refuses("does not wait there", "parked", "discard", "directory", stream)
		o.refuses(stream+" still waits", "parked", "replay", "directory", stream)
		if said := o.says("parked", "discard", "directory", "--all"); !strings.Contains(said, stream+" is discarded.\n") || !strings.Contains(said, other+" is discarded.\n") {
			t.Errorf("said %q", said)
		}
		if list := o.says("parked", "list"); strings.Count(list, "\n") != 1 {
			t.Errorf("listed is\n%s", list)
		}
	})
	t.Run("OPS-5 every refusal is one line", func(t *testing.T) {
		o := o.in(t)
		for want, args := range map[string]string{
			"no such stream waits":            "show directory team-empty.none",
			"no such stream waits in":         "show directory",
			"one of the streams does not":     "replay directory user:secret@127.0.0.1",
			"name the streams, or give":       "replay directory",
			"takes at most 1 names":           "list directory roles",
			`there is no projection "nobody"`: "list nobody",
			"name a projection":               "show",
		} {
			o.refuses(want, append([]string{"parked"}, strings.Fields(args)...)...)
		}
		o.says("projections", "pause", "directory@"+o.line(o.says("projections", "list"), "directory")[1])
		o.refuses("is paused: resume it first", "parked", "replay", "directory", stream)
	})
}

// TestParkedByNobody gives an order while no process runs that could carry it out.
func TestParkedByNobody(t *testing.T) {
	o := &operating{T: t, redis: redistest.Start(t), log: testLog(t)}
	var stream string
	t.Run("a process that ends", func(t *testing.T) {
		o := &operating{T: t, redis: o.redis, log: o.log}
		o.part = startPart(t, roleProjector, o.log, o.redis)
		o.part.await(t)
		stream = o.spoil("broken")
	})
	o.refuses("no process has done it within 10ms", "parked", "discard", "directory", stream, "--timeout", "10ms")
	o.part = startPart(t, roleProjector, o.log, o.redis)
	o.until(stream, false, "parked", "list")
}
