package acceptance

import (
	"context"
	"fmt"
	"testing"

	"golang.org/x/sync/errgroup"

	"rolewise/test/harness"
)

// TestShutdown tells the server to end while a command for many members is under way.
func TestShutdown(t *testing.T) {
	const many = 1500
	server := serveWithCatalog(t, "memory")
	client := server.NewPlan(t, north)
	members := invite(t, client, many)
	before := lastPosition(t, client, north)

	type reply struct {
		harness.Response
		err error
	}
	answered := make(chan reply, 1)
	go func() {
		response, err := client.Post(context.WithoutCancel(t.Context()), north, "assign-role", harness.Body{"role": preparers, "members": members})
		answered <- reply{response, err}
	}()
	for len(harness.Decode[harness.List[harness.Event]](t, client.Get(t, "/v1/plans/"+north+"/events", "after", before, "limit", "1")).Items) == 0 {
		select {
		case got := <-answered:
			t.Fatalf("answered before its first event was seen: %d %v", got.Status, got.err)
		default:
		}
	}
	select {
	case <-answered:
		t.Fatal("answered before the server was told to end: it proves nothing")
	default:
	}
	server.Stop(t) // fails the test unless the exit code is 0
	got := <-answered
	if got.err != nil || got.Status != 200 {
		t.Fatalf("OPS-7 a command under way is answered %d %s, %v", got.Status, got.Body, got.err)
	}
	same(t, "OPS-7 items of the answer", len(harness.Decode[harness.Answer](t, got.Response).Items), many)

	server.Again(t)
	client.Base = server.URL
	assigned := 0
	for _, event := range client.Events(t, north) {
		if event.Type == "MemberAssigned" {
			assigned++
		}
	}
	same(t, "OPS-7 members assigned after a restart", assigned, many)
	server.Stop(t)
}

// invite invites members, several at once, and returns their ids.
func invite(t *testing.T, client harness.Client, n int) []string {
	t.Helper()
	ids := make([]string, n)
	group, ctx := errgroup.WithContext(t.Context())
	group.SetLimit(16)
	for i := range ids {
		ids[i] = id(1000 + i)
		group.Go(func() error {
			body := harness.Body{"member": ids[i], "name": fmt.Sprintf("Member %d", i), "email": fmt.Sprintf("member%d@north.example", i)}
			response, err := client.Post(ctx, north, "invite-member", body)
			if err == nil && response.Status != 200 {
				err = fmt.Errorf("invite-member: %d %s", response.Status, response.Body)
			}
			return err
		})
	}
	if err := group.Wait(); err != nil {
		t.Fatal(err)
	}
	return ids
}
