package kurrenttest

import (
	"context"
	"encoding/json"
	"strings"
	"time"
)

// retention is what the metadata of a stream says of the events to be kept.
type retention struct {
	age    time.Duration // 0: for ever
	count  int64         // 0: all
	before int64         // revisions below are cut off
}

// retention reads the metadata of a stream: the last event of the stream that is named like it behind "$$".
func (b *backend) retention(ctx context.Context, name string) (retention, error) {
	if strings.HasPrefix(name, "$$") {
		return retention{count: 1}, nil
	}
	stream, err := streamOf("$$" + name)
	if err != nil {
		return retention{}, nil // too long a name to have metadata
	}
	last, err := b.last(ctx, stream)
	if err != nil || last < 0 {
		return retention{}, err
	}
	for e, err := range b.store.Read(ctx, stream, last) {
		if err != nil {
			return retention{}, err
		}
		return parseRetention(e.Data), nil
	}
	return retention{}, nil
}

// parseRetention ignores what it cannot read, as the server does.
func parseRetention(data []byte) retention {
	var m map[string]json.RawMessage
	if json.Unmarshal(data, &m) != nil {
		return retention{}
	}
	number := func(key string) int64 {
		var n int64
		if json.Unmarshal(m[key], &n) != nil || n < 0 {
			return 0
		}
		return n
	}
	return retention{
		age:    time.Duration(min(number("$maxAge"), int64(100*365*24*time.Hour/time.Second))) * time.Second,
		count:  number("$maxCount"),
		before: number("$tb"),
	}
}
