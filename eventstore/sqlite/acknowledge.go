package sqlite

import (
	"sync"

	"rolewise/eventstore"
)

// ahead is how many commits the writer may be ahead of the head that is on the disk.
const ahead = 3

// batch is one commit: the appends that were decided in it, and the end of the log after it.
type batch struct {
	requests []*request
	results  []result
	recorded []eventstore.Recorded
	head     Head
	err      error // of the commit as a whole
}

// acknowledger notes the end of the log in the head file after each commit, beside the next one. Only then are the
// events known to followers, and the appends answered.
type acknowledger struct {
	path    string
	file    *headFile
	written Head
	tail    *tail
	commits chan *batch
	free    chan *batch

	mu     sync.Mutex
	broken error // the first failure to write the head
}

func newAcknowledger(path string, file *headFile, head Head, t *tail) *acknowledger {
	a := &acknowledger{path: path, file: file, written: head, tail: t,
		commits: make(chan *batch, ahead), free: make(chan *batch, ahead)}
	for range ahead {
		a.free <- &batch{}
	}
	return a
}

// next returns an empty batch. It waits until a commit was acknowledged, if the writer is too far ahead.
func (a *acknowledger) next() *batch { return <-a.free }

// failure returns why no head can be written any more, if that is so.
func (a *acknowledger) failure() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.broken
}

// run acknowledges commits until the channel is closed and empty.
func (a *acknowledger) run() {
	for b := range a.commits {
		batches := []*batch{b}
		for len(a.commits) > 0 { // one head for all that are committed
			batches = append(batches, <-a.commits)
		}
		a.note(batches)
		for _, b := range batches {
			a.answer(b)
			a.free <- b
		}
	}
}

// note writes the newest head of some commits, unless nothing was added.
func (a *acknowledger) note(batches []*batch) {
	head := a.written
	for _, b := range batches {
		if b.err == nil {
			head = b.head
		}
	}
	if a.failure() == nil && head.Position > a.written.Position {
		if err := a.file.write(head); err != nil {
			a.mu.Lock()
			a.broken = explain(a.path, err)
			a.mu.Unlock()
		} else {
			a.written = head
		}
	}
	if err := a.failure(); err != nil {
		for _, b := range batches {
			if b.err == nil {
				b.err = &eventstore.UnavailableError{Unknown: true, Err: err}
			}
		}
	}
}

// answer makes the events of a commit known, tells the waiting appends what became of them, and empties the batch.
func (a *acknowledger) answer(b *batch) {
	if b.err == nil {
		a.tail.publish(b.recorded)
	}
	for i, r := range b.requests {
		if b.err != nil {
			r.done <- result{err: b.err}
		} else {
			r.done <- b.results[i]
		}
	}
	clear(b.requests)
	clear(b.recorded)
	*b = batch{requests: b.requests[:0], results: b.results[:0], recorded: b.recorded[:0]}
}
