package commands_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"os"
	"testing"

	"github.com/google/uuid"

	"rolewise/commands"
	"rolewise/domain"
	"rolewise/domain/member"
	"rolewise/eventstore"
)

// In the log of the former release, Olga's plan was created with her as owner; Max was invited as another.
const (
	formerMax = domain.MemberID("01890a5d-ac96-774b-bcce-b30209900001")
	formerAda = domain.MemberID("01890a5d-ac96-774b-bcce-b30209900002")
	formerHal = domain.MemberID("01890a5d-ac96-774b-bcce-b30209900003")
)

// former returns a rig on a log as the release wrote it that knew neither seats nor changes of members.
func former(t *testing.T) *rig {
	t.Helper()
	r := newRig(t)
	log, err := os.ReadFile("testdata/former-release.ndjson")
	if err != nil {
		t.Fatal(err)
	}
	next := map[string]eventstore.Revision{}
	for lines := bufio.NewScanner(bytes.NewReader(log)); lines.Scan(); {
		var e struct {
			Stream, Type   string
			Metadata, Data json.RawMessage
		}
		if err := json.Unmarshal(lines.Bytes(), &e); err != nil {
			t.Fatal(err)
		}
		stream, err := eventstore.ParseStreamID(e.Stream)
		if err != nil {
			t.Fatal(err)
		}
		at, known := next[e.Stream]
		if !known {
			at = eventstore.NoStream
		}
		event := eventstore.Event{ID: uuid.Must(uuid.NewV7()), Type: e.Type, Data: e.Data, Metadata: e.Metadata}
		if _, err := r.store.Append(t.Context(), stream, at, event); err != nil {
			t.Fatal(err)
		}
		next[e.Stream] = at + 1
	}
	return r
}

func TestFormerRelease(t *testing.T) {
	olga := func(r *rig) domain.MemberID {
		of, err := r.handler.Plan(r.Context(), "former")
		if err != nil || of.Owner == "" {
			r.Fatalf("the plan %+v, %v", of, err)
		}
		return of.Owner
	}
	owns := func(r *rig, id domain.MemberID, want bool) {
		r.Helper()
		if got, err := r.handler.Owner(r.Context(), "former", id); got != want || err != nil {
			r.Errorf("owner %s: %v, %v; want %v", id, got, err, want)
		}
	}
	withdraw := func(id domain.MemberID) commands.Command {
		return commands.WithdrawAccessRole{Member: id, AccessRole: member.Owner}
	}
	last := func(r *rig, c commands.Command) {
		r.Helper()
		r.refused(request("former", c, ""), c, domain.Conflict, "last_owner", "/member")
	}
	t.Run("OPS-7 ACC-1 owners by invitation are owners", func(t *testing.T) {
		r := former(t)
		owns(r, olga(r), true)
		owns(r, formerMax, true)
		owns(r, formerHal, false)
	})
	t.Run("OPS-7 ACC-1 the first owner steps back for one by invitation", func(t *testing.T) {
		r := former(t)
		equal(t, "events", r.do("former", withdraw(olga(r))).Events, []string{"OwnerWithdrawn"})
		owns(r, olga(r), false)
		last(r, withdraw(formerMax))
		last(r, commands.RemoveMember{Member: formerMax})
		last(r.on(t, r.store), commands.DeactivateMember{Member: formerMax}) // of another process
		r.do("former", commands.GrantAccessRole{Member: formerHal, AccessRole: member.Owner})
		r.do("former", commands.RemoveMember{Member: formerMax})
		owns(r, formerMax, false)
		last(r, withdraw(formerHal))
	})
	t.Run("OPS-7 ACC-1 one by invitation is removed", func(t *testing.T) {
		r := former(t)
		r.do("former", commands.RemoveMember{Member: formerMax})
		last(r, commands.DeactivateMember{Member: olga(r)})
	})
	t.Run("OPS-7 ACC-1 an owner whom the former release invites meanwhile", func(t *testing.T) {
		r := former(t)
		r.do("former", withdraw(formerMax))
		last(r, withdraw(olga(r))) // the history was searched, and is searched on from there
		late := domain.MemberID(newID())
		h := &hooked{Store: r.store}
		h.append = func(stream eventstore.StreamID) {
			if stream.Category == "seats" {
				panic("the former release knows no seats")
			}
		}
		func() {
			defer func() { _ = recover() }()
			c := commands.InviteMember{Member: late, Name: "Late", Email: "late@former.example", AccessRole: member.Owner}
			_, err := r.on(t, h).handler.Handle(t.Context(), request("former", c, ""), c)
			t.Errorf("it went on: %v", err)
		}()
		owns(r, late, true)
		r.do("former", withdraw(olga(r)))
		last(r, withdraw(late))
	})
	t.Run("OPS-7 MEM-1 addresses of the former release", func(t *testing.T) {
		r := former(t)
		taken := commands.InviteMember{Name: "Ada", Email: "ADA@former.example"}
		r.refused(request("former", taken, ""), taken, domain.Conflict, "email_taken", "/email")
		before := r.head()
		r.do("former", commands.ChangeMemberProfile{Member: formerAda, Email: new("ada.king@former.example")})
		equal(t, "events", r.types(before), []string{"Reserved", "MemberEmailChanged", "Released"})
		r.do("former", taken)
		r.do("former", commands.RemoveMember{Member: formerHal})
		r.do("former", commands.InviteMember{Name: "Hal", Email: "hal@former.example"})
	})
	t.Run("OPS-7 MEM-3 teams of the former release", func(t *testing.T) {
		r := former(t)
		twin := commands.CreateTeam{Name: "STRASSE"}
		r.refused(request("former", twin, ""), twin, domain.Conflict, "team_name_taken", "/name")
		r.do("former", commands.DeleteTeam{Team: "01890a5d-ac96-774b-bcce-b30209900012"})
	})
	t.Run("OPS-7 ACC-3 a plan of the former release has the licences of its tier", func(t *testing.T) {
		r := former(t)
		r.do("former", commands.GrantContentAccess{Member: formerAda})
	})
}
