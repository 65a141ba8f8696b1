package api

import (
	"encoding/json"
	"fmt"
	"time"

	"rolewise/eventstore"
	"rolewise/readmodels"
)

// Event is an event of the plan's history (SPEC AUD-1), as it is stored: data has the form of its version.
//
// Scores in SkillIQMeasured are shown, since so far only keys with the scope audit read the history.
type Event struct {
	Position    string          `json:"position"`
	ID          string          `json:"id" format:"uuid"`
	Type        string          `json:"type"`
	Version     int             `json:"version" doc:"Of the form of data."`
	Stream      string          `json:"stream"`
	Revision    int64           `json:"revision"`
	Time        time.Time       `json:"time"`
	Actor       string          `json:"actor"`
	Command     string          `json:"command" doc:"Id of the command that caused it."`
	Correlation string          `json:"correlation"`
	Data        json.RawMessage `json:"data"`
}

// events reads the log, not a read model: what is in it is in the answer. Its next goes on as after.
func (s *server) events(c *call) (answer, error) {
	after, limit := c.params.position(afterParam.Name), c.params.limit()
	if after > c.head { // where Follow would wait for the log to get there
		c.params.wrong(afterParam.Name, "invalid_position", "lies beyond the end of the log")
	}
	if err := c.params.err(); err != nil {
		return answer{}, err
	}
	list, through := List[Event]{Items: []Event{}}, after
	// One more than the limit, so that the end of a full page is told from the end of the history.
	for page, err := range s.Events.Follow(c.ctx, after, eventstore.Filter{Plan: string(c.plan), PageSize: limit + 1}) {
		if err != nil {
			return answer{}, fmt.Errorf("read history: %w", err)
		}
		for _, recorded := range page.Events {
			if len(list.Items) == limit {
				list.Next = &list.Items[limit-1].Position
				break
			}
			event, err := eventOf(recorded)
			if err != nil {
				return answer{}, err
			}
			list.Items, through = append(list.Items, event), recorded.Position
		}
		if list.Next != nil {
			break
		}
		if through = page.Through; page.Live && through >= c.min {
			break
		}
	}
	at := readmodels.Checkpoint{Position: through}
	if n := len(list.Items); n > 0 {
		at.Time = list.Items[n-1].Time
	}
	return answer{content: list, at: at, log: true}, nil
}

func eventOf(r eventstore.Recorded) (Event, error) {
	meta, err := eventstore.DecodeMetadata(r.Metadata)
	if err != nil {
		return Event{}, fmt.Errorf("event %s: %w", r.Position, err)
	}
	return Event{
		Position: r.Position.String(), ID: r.ID.String(), Type: r.Type, Version: meta.Schema, Stream: r.Stream.String(),
		Revision: int64(r.Revision), Time: meta.Time.UTC(), Actor: meta.Actor, Command: meta.Command,
		Correlation: meta.Correlation, Data: r.Data,
	}, nil
}
