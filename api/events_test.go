package api

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"testing"

	"rolewise/domain/events"
	"rolewise/eventstore"
)

func TestEvents(t *testing.T) {
	c := newCompany(t)
	other := c.plan("other", "enterprise")
	c.command("other", "create-team", other, fields{"name": "Elsewhere"})
	var want []string
	var all []eventstore.Recorded
	for page, err := range c.store.Follow(t.Context(), 0, eventstore.Filter{}) {
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range page.Events {
			if e.Stream.Plan == "acme" {
				want, all = append(want, e.Position.String()), append(all, e)
			}
		}
		if page.Live {
			break
		}
	}
	t.Run("AUD-1 every event of the plan in order", func(t *testing.T) {
		list := decoded[enlisted[Event]](c.get("/v1/plans/acme/events?limit=1000", c.key))
		if got := positions(list.Items); !slices.Equal(got, want) || list.Next != nil {
			t.Errorf("got %v\nwant %v", got, want)
		}
		if list.Position != c.head().String() || list.LagMS != 0 || !list.AsOf.Equal(c.clock.Now()) {
			t.Errorf("%+v", list.Freshness)
		}
		for i, e := range list.Items {
			meta, err := eventstore.DecodeMetadata(all[i].Metadata)
			if err != nil {
				t.Fatal(err)
			}
			if e.ID != all[i].ID.String() || e.Type != all[i].Type || e.Stream != all[i].Stream.String() || e.Revision != int64(all[i].Revision) ||
				e.Version != meta.Schema || e.Actor != meta.Actor || e.Command != meta.Command || e.Correlation != meta.Correlation ||
				!e.Time.Equal(meta.Time) || string(e.Data) != string(all[i].Data) {
				t.Errorf("%+v", e)
			}
			if _, err := events.All.Decode(e.Type, e.Version, e.Data); err != nil {
				t.Error(err)
			}
		}
	})
	for _, limit := range []int{1, 2, 3, len(want) - 1, len(want), len(want) + 1} {
		t.Run("AUD-1 pages of "+strconv.Itoa(limit), func(t *testing.T) {
			var got []string
			for after := "0"; ; {
				list := decoded[enlisted[Event]](c.get("/v1/plans/acme/events?after="+after+"&limit="+strconv.Itoa(limit), c.key))
				got = append(got, positions(list.Items)...)
				if list.Next == nil {
					break
				}
				if len(list.Items) != limit || *list.Next != list.Items[limit-1].Position || list.Position != *list.Next {
					t.Fatalf("%+v", list)
				}
				after = *list.Next
			}
			if !slices.Equal(got, want) {
				t.Errorf("got %v\nwant %v", got, want)
			}
		})
	}
	t.Run("AUD-1 nothing after the end", func(t *testing.T) {
		got := c.get("/v1/plans/acme/events?after="+c.head().String(), c.key)
		if !strings.HasPrefix(got.Body, `{"items":[],"next":null,"position":"`+c.head().String()+`"`) {
			t.Error(got.Body)
		}
	})
	t.Run("AUD-1 a measurement is shown whole", func(t *testing.T) {
		list := decoded[enlisted[Event]](c.get("/v1/plans/acme/events?limit=1000", c.key))
		i := slices.IndexFunc(list.Items, func(e Event) bool { return e.Type == "SkillIQMeasured" })
		var data struct {
			Score int `json:"score"`
		}
		if err := json.Unmarshal(list.Items[i].Data, &data); err != nil || data.Score != 160 {
			t.Errorf("%s, %v", list.Items[i].Data, err)
		}
	})
}

func positions(events []Event) []string {
	var all []string
	for _, e := range events {
		all = append(all, e.Position)
	}
	return all
}
