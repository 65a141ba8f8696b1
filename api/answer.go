package api

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"

	"rolewise/eventstore"
	"rolewise/readmodels"
)

// Freshness says how new an answer is (SPEC ANA-6).
type Freshness struct {
	Position string     `json:"position" doc:"The answer is at least as new as this place in the log."`
	AsOf     *time.Time `json:"as_of" doc:"Time of the newest event in the answer; null before the first."`
	LagMS    int64      `json:"lag_ms" doc:"Age of the oldest event that is not in the answer yet, in milliseconds; 0 if there is none."`
}

// List is a page of a list.
type List[T any] struct {
	Items []T     `json:"items" nullable:"false"`
	Next  *string `json:"next" doc:"Pass it as cursor to get the next page; null at the end."`
}

// Item is a single object.
type Item[T any] struct {
	Item T `json:"item"`
}

// answer is what a query found.
type answer struct {
	content any // struct that is encoded with the freshness behind its own fields
	at      readmodels.Checkpoint
	log     bool // it comes from the log itself, which does not lag
}

// listed puts a page into its envelope.
func listed[T any](c *call, page readmodels.List[T]) List[T] {
	list := List[T]{Items: page.Items, Next: c.cursor(page.Next)}
	if list.Items == nil {
		list.Items = []T{}
	}
	return list
}

// freshness tells how new an answer is. Its lag is the age of the plan's oldest event that is not in it; a plan without
// a name stands for all.
func (s *server) freshness(ctx context.Context, plan string, at readmodels.Checkpoint, head eventstore.Position) (Freshness, error) {
	f := Freshness{Position: at.Position.String()}
	if !at.Time.IsZero() {
		asOf := at.Time.UTC()
		f.AsOf = &asOf
	}
	if at.Position >= head {
		return f, nil
	}
	for page, err := range s.Events.Follow(ctx, at.Position, eventstore.Filter{Plan: plan, PageSize: 1}) {
		if err != nil {
			return f, fmt.Errorf("read the oldest event that is missing: %w", err)
		}
		if len(page.Events) == 0 && !page.Live {
			continue
		}
		if len(page.Events) == 0 {
			break
		}
		meta, err := eventstore.DecodeMetadata(page.Events[0].Metadata)
		if err != nil {
			return f, err
		}
		f.LagMS = max(0, s.Now().Sub(meta.Time).Milliseconds())
		break
	}
	return f, nil
}

// reply sends an answer to a query, or 304 if the caller has it already. The tag covers what was found, not how new it
// is, so that an object keeps its tag while other things happen.
func (s *server) reply(c *call, a answer) error {
	content, err := encode(a.content)
	if err != nil {
		return fmt.Errorf("encode answer: %w", err)
	}
	if a.log {
		c.head = a.at.Position
	}
	fresh, err := s.freshness(c.ctx, string(c.plan), a.at, c.head)
	if err != nil {
		return err
	}
	envelope, err := encode(fresh)
	if err != nil {
		return fmt.Errorf("encode freshness: %w", err)
	}
	sum := sha256.Sum256(content)
	tag := `W/"` + base64.RawURLEncoding.EncodeToString(sum[:15]) + `"`
	c.freshHeaders(fresh)
	header := c.gin.Writer.Header()
	header.Set("ETag", tag)
	header.Set("Cache-Control", "private, no-cache")
	if hasTag(c.gin.Request.Header.Values("If-None-Match"), tag) {
		c.gin.Status(http.StatusNotModified)
		return nil
	}
	body := make([]byte, 0, len(content)+len(envelope))
	body = append(body, content[:len(content)-1]...)
	body = append(append(body, ','), envelope[1:]...)
	c.gin.Data(http.StatusOK, "application/json", body)
	return nil
}

func (c *call) freshHeaders(f Freshness) {
	header := c.gin.Writer.Header()
	header.Set("X-Rolewise-Position", f.Position)
	if f.AsOf != nil {
		header.Set("X-Rolewise-As-Of", f.AsOf.Format(time.RFC3339Nano))
	}
}

// hasTag compares weakly (RFC 9110, 13.1.2).
func hasTag(lines []string, tag string) bool {
	for _, line := range lines {
		for one := range strings.SplitSeq(line, ",") {
			one = strings.TrimSpace(one)
			if one == "*" || strings.TrimPrefix(one, "W/") == strings.TrimPrefix(tag, "W/") {
				return true
			}
		}
	}
	return false
}

// encode is json.Marshal without the escapes that HTML would need.
func encode(value any) ([]byte, error) {
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(value); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}

func indented(compact []byte) ([]byte, error) {
	var b bytes.Buffer
	err := json.Indent(&b, compact, "", "  ")
	b.WriteByte('\n')
	return b.Bytes(), err
}
