package kurrenttest

import (
	"math"
	"regexp"
	"slices"
	"strings"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
)

// filter chooses events of $all, and says how often a subscription reports how far it has looked.
type filter struct {
	byStream bool
	regex    *regexp.Regexp
	prefixes []string
	interval uint64 // events looked at between two checkpoints
}

const searchWindow = 32 // where the client sets none

// readFilter returns nil where there is no filter.
func readFilter(o *streams.ReadReq_Options, subscription bool) (*filter, error) {
	f := o.GetFilter()
	if f == nil {
		return nil, nil
	}
	out := &filter{}
	var expression *streams.ReadReq_Options_FilterOptions_Expression
	switch by := f.Filter.(type) {
	case *streams.ReadReq_Options_FilterOptions_StreamIdentifier:
		out.byStream, expression = true, by.StreamIdentifier
	case *streams.ReadReq_Options_FilterOptions_EventType:
		expression = by.EventType
	default:
		return nil, invalid("the filter is neither by stream nor by event type")
	}
	out.prefixes = expression.GetPrefix()
	if text := expression.GetRegex(); text != "" {
		var err error
		if out.regex, err = regexp.Compile(text); err != nil {
			return nil, invalid("the filter's regular expression cannot be used here: " + err.Error())
		}
	}
	window := uint64(searchWindow)
	if w, ok := f.Window.(*streams.ReadReq_Options_FilterOptions_Max); ok {
		window = uint64(w.Max)
	}
	out.interval = window * uint64(f.CheckpointIntervalMultiplier)
	if subscription && f.CheckpointIntervalMultiplier == 0 {
		return nil, invalid("the checkpoint interval multiplier must be at least 1")
	}
	if window == 0 || window > math.MaxInt32 {
		return nil, invalid("the search window must be at least 1")
	}
	return out, nil
}

func (f *filter) passes(e *event) bool {
	if f == nil {
		return true
	}
	text := e.kind
	if f.byStream {
		text = e.stream
	}
	if f.regex != nil {
		return f.regex.MatchString(text)
	}
	return slices.ContainsFunc(f.prefixes, func(prefix string) bool { return strings.HasPrefix(text, prefix) })
}
