package durability

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"sync"
	"testing"

	"rolewise/eventstore"
	"rolewise/eventstore/sqlite"
)

// revolving is a store that is closed and opened again while it is used. Calls that a close cuts off have no answer.
type revolving struct {
	path string
	bad  string // the fault of the store; "": none

	mu    sync.Mutex
	store *sqlite.Store
	spoil streams
	fresh chan struct{} // closed when the next store is there
}

func openRevolving(ctx context.Context, path, bad string) (*revolving, error) {
	r := &revolving{path: path, bad: bad}
	return r, r.open(ctx)
}

func (r *revolving) open(ctx context.Context) error {
	store, err := sqlite.Open(ctx, r.path, sqlite.PageSize(7)) // so that a read takes several pages
	if err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.fresh != nil {
		close(r.fresh)
	}
	r.store, r.spoil, r.fresh = store, spoilt(store, r.bad), make(chan struct{})
	return nil
}

func (r *revolving) turn(ctx context.Context) error {
	if err := r.store.Close(); err != nil {
		return err
	}
	return r.open(ctx)
}

func (r *revolving) now() (streams, <-chan struct{}) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.spoil, r.fresh
}

// cutOff waits for the next store if the last one was closed under a call.
func cutOff(ctx context.Context, fresh <-chan struct{}, err error) error {
	if !errors.Is(err, eventstore.ErrClosed) {
		return err
	}
	select {
	case <-fresh:
		return errNoAnswer
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (r *revolving) Append(ctx context.Context, stream eventstore.StreamID, expected eventstore.Revision, events ...eventstore.Event) (eventstore.Position, error) {
	store, fresh := r.now()
	position, err := store.Append(ctx, stream, expected, events...)
	return position, cutOff(ctx, fresh, err)
}

func (r *revolving) Read(ctx context.Context, stream eventstore.StreamID, from eventstore.Revision) iter.Seq2[eventstore.Recorded, error] {
	return func(yield func(eventstore.Recorded, error) bool) {
		store, fresh := r.now()
		for e, err := range store.Read(ctx, stream, from) {
			if !yield(e, cutOff(ctx, fresh, err)) {
				return
			}
		}
	}
}

// service is what the program "server" does: it opens a store and carries out what it is asked, all at once, until it is
// killed. It says "opened" before the first answer.
type service struct {
	Path, Bad string
}

type asked struct {
	Number int
	Call   call
}

type answered struct {
	Number int
	Answer answer
	Error  string
}

func server(ctx context.Context, spec []byte, words <-chan string) error {
	var s service
	if err := json.Unmarshal(spec, &s); err != nil {
		return err
	}
	store, err := openRevolving(ctx, s.Path, s.Bad)
	if err != nil {
		return fmt.Errorf("open: %w", err)
	}
	say("opened")
	for {
		select {
		case word := <-words:
			var q asked
			if err := json.Unmarshal([]byte(word), &q); err != nil {
				return err
			}
			go func() {
				out, err := carryOut(ctx, store, q.Call)
				reply := answered{Number: q.Number, Answer: out}
				if err != nil {
					reply.Error = err.Error()
				}
				line, _ := json.Marshal(reply) // always encodes
				say(string(line))
			}()
		case <-ctx.Done():
			return store.store.Close()
		}
	}
}

func carryOut(ctx context.Context, store streams, in call) (out answer, err error) {
	if in.IDs == nil {
		for e, err := range store.Read(ctx, in.Stream, in.At) {
			if err != nil {
				return out, err
			}
			out.Events = append(out.Events, stood{e.ID, e.Revision, e.Position})
		}
		return out, nil
	}
	out.Position, err = store.Append(ctx, in.Stream, in.At, eventsOf(in)...)
	var conflict *eventstore.ConflictError
	if errors.As(err, &conflict) {
		return answer{Conflict: true, Have: conflict.Have}, nil
	}
	return out, err
}

// remote is a store in another process, which is killed while it is used.
type remote struct {
	service service
	child   *child

	mu      sync.Mutex
	number  int
	deaf    chan struct{}         // closed when nothing more is heard from the process
	pending map[int]chan answered // closed when the process has ended; nil: it has
	fresh   chan struct{}         // closed when the next process is there
}

// start starts the process, the first one or the next.
func (r *remote) start(t *testing.T) {
	t.Helper()
	c := launch(t, "server", r.service)
	if !c.await(t, "opened") {
		c.log(t)
		t.Fatal("the store did not open after a kill")
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.fresh != nil {
		close(r.fresh)
	}
	r.child, r.deaf, r.pending, r.fresh = c, make(chan struct{}), map[int]chan answered{}, make(chan struct{})
	go r.hear(c)
}

func (r *remote) hear(c *child) {
	for line := range c.said {
		var reply answered
		if json.Unmarshal([]byte(line), &reply) != nil {
			continue // torn by the kill
		}
		r.mu.Lock()
		r.pending[reply.Number] <- reply
		delete(r.pending, reply.Number)
		r.mu.Unlock()
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, waiting := range r.pending {
		close(waiting)
	}
	r.pending = nil
	close(r.deaf)
}

// kill ends the process in the middle of what it does.
func (r *remote) kill(t *testing.T) {
	t.Helper()
	_ = r.child.command.Process.Kill()
	<-r.deaf
	r.child.log(t)
}

func (r *remote) ask(ctx context.Context, in call) (answer, error) {
	waiting := make(chan answered, 1)
	r.mu.Lock()
	fresh, open := r.fresh, r.pending != nil
	if open {
		r.number++
		r.pending[r.number] = waiting
		line, _ := json.Marshal(asked{r.number, in}) // always encodes
		r.child.tell(string(line))
	}
	r.mu.Unlock()
	if open {
		if reply, ok := <-waiting; ok {
			if reply.Error != "" {
				return answer{}, errors.New(reply.Error)
			}
			return reply.Answer, nil
		}
	}
	return answer{}, cutOff(ctx, fresh, eventstore.ErrClosed)
}

func (r *remote) Append(ctx context.Context, stream eventstore.StreamID, expected eventstore.Revision, events ...eventstore.Event) (eventstore.Position, error) {
	in := call{Stream: stream, At: expected}
	for _, e := range events {
		in.IDs = append(in.IDs, e.ID)
	}
	out, err := r.ask(ctx, in)
	if err == nil && out.Conflict {
		return 0, &eventstore.ConflictError{Stream: stream, Want: expected, Have: out.Have}
	}
	return out.Position, err
}

func (r *remote) Read(ctx context.Context, stream eventstore.StreamID, from eventstore.Revision) iter.Seq2[eventstore.Recorded, error] {
	return func(yield func(eventstore.Recorded, error) bool) {
		out, err := r.ask(ctx, call{Stream: stream, At: from})
		if err != nil {
			yield(eventstore.Recorded{}, err)
			return
		}
		for _, e := range out.Events {
			if !yield(eventstore.Recorded{Event: eventstore.Event{ID: e.ID}, Revision: e.Revision, Position: e.Position}, nil) {
				return
			}
		}
	}
}

var (
	_ streams = (*revolving)(nil)
	_ streams = (*remote)(nil)
	_ streams = (*sqlite.Store)(nil)
)
