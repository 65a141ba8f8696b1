// Command front serves a log over the protocol of KurrentDB, so that several processes can share it, until its standard
// input ends. It is a program of its own so that it is never slowed down by the race detector.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"rolewise/eventstore/kurrenttest"
	"rolewise/eventstore/sqlite"
)

func main() {
	if err := serve(context.Background(), os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, "serve the event store:", err)
		os.Exit(1)
	}
}

func serve(ctx context.Context, path string) (err error) {
	store, err := sqlite.Open(ctx, path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	front, err := kurrenttest.Start(ctx, store)
	if err != nil {
		return err
	}
	fmt.Println(front.ConnectionString())
	_, _ = io.Copy(io.Discard, os.Stdin)
	return front.Close()
}
