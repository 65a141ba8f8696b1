package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"rolewise/eventstore/kurrenttest"
	"rolewise/eventstore/sqlite"
)

// runFront serves a log over the protocol of KurrentDB until it is told to end.
func runFront(args []string) (err error) {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	store, err := sqlite.Open(ctx, args[0])
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	front, err := kurrenttest.Start(ctx, store)
	if err != nil {
		return err
	}
	fmt.Printf("KurrentDB http://%s\n", front.Address())
	<-ctx.Done()
	return front.Close()
}
