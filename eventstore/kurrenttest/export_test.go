package kurrenttest

import "time"

// StrangerTime sets how long the call of somebody unknown may take.
func StrangerTime(d time.Duration) Option { return func(o *options) { o.strangers = d } }

// MostCalls is how many calls one connection may have under way.
const MostCalls = mostCalls
