package reactors

import (
	"context"
	"errors"
	"time"

	"rolewise/commands"
	"rolewise/domain/command"
	"rolewise/eventstore"
)

// patience is longer than a bulk command takes. One that takes longer is joined, which only wastes time.
const patience = 10 * time.Second

// Commands finishes bulk commands that were accepted by a process that is gone (SPEC ASG-5). When one is answered, by
// whomever, forget destroys the key under which its message was kept: what each person was told is in their own stream.
func Commands(store eventstore.Store, handler *commands.Handler, forget func(ctx context.Context, plan, key string) error) Reactor {
	return Reactor{
		Name:     "commands",
		Stream:   command.Category + "-",
		Causes:   []string{nameOf(command.CommandAccepted{})},
		Resumed:  []string{nameOf(command.CommandResumed{})},
		Due:      []string{nameOf(command.CommandAnswered{})},
		Patience: patience,
		Act: func(ctx context.Context, c Cause) error {
			err := handler.Finish(ctx, c.Stream, c.Seen)
			var never *commands.UnfinishableError
			switch {
			case errors.Is(err, commands.ErrElsewhere):
				return ErrElsewhere
			case errors.As(err, &never):
				return &RefusedError{Reason: "the accepted command cannot be read", Err: err}
			case err != nil:
				return err
			}
			return forgetMessage(ctx, store, c.Stream, forget)
		},
	}
}

// forgetMessage makes the message of a command unreadable, if it had one.
func forgetMessage(ctx context.Context, store eventstore.Store, stream eventstore.StreamID, forget func(ctx context.Context, plan, key string) error) error {
	for recorded, err := range store.Read(ctx, stream, 0) {
		if err != nil {
			return err
		}
		if recorded.Type != nameOf(command.CommandAccepted{}) {
			continue
		}
		meta, err := eventstore.DecodeMetadata(recorded.Metadata)
		if err != nil {
			return err
		}
		event, err := command.Events.Decode(recorded.Type, meta.Schema, recorded.Data)
		if accepted, ok := event.(command.CommandAccepted); err == nil && ok && accepted.Message != "" {
			err = forget(ctx, stream.Plan, string(accepted.Command))
		}
		return err
	}
	return nil
}

func nameOf(event command.Event) string {
	t, _ := command.Events.Lookup(event)
	return t.Name
}
