package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"rolewise/eventstore/kurrent"
	"rolewise/eventstore/replica"
	"rolewise/eventstore/sqlite"
)

func auditCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "audit", Short: "Prove that the event log is what was written"}
	var store string
	verify := &cobra.Command{
		Use:   "verify",
		Short: "Walk both hash chains of an event store from the first event to the last; the server may be running",
		RunE: func(cmd *cobra.Command, _ []string) error {
			return auditVerify(cmd.Context(), store, cmd.OutOrStdout())
		},
	}
	var accept bool
	head := &cobra.Command{
		Use:   "head",
		Short: "Print how far the log goes, as it stands outside the database",
		RunE: func(cmd *cobra.Command, _ []string) error {
			return auditHead(cmd.Context(), store, accept, cmd.OutOrStdout())
		},
	}
	head.Flags().BoolVar(&accept, "accept", false, "trust the database as it is and write its head anew; whatever is missing from it is then no longer noticed")
	for _, sub := range []*cobra.Command{verify, head} {
		storeFlag(sub, &store)
	}
	cmd.AddCommand(verify, head, compareCommand())
	return cmd
}

func compareCommand() *cobra.Command {
	var source, copied string
	cmd := &cobra.Command{
		Use:   "compare",
		Short: "Compare a log in KurrentDB with its local copy, event by event; the server may be running",
		RunE: func(cmd *cobra.Command, _ []string) error {
			return auditCompare(cmd.Context(), source, copied, cmd.OutOrStdout())
		},
	}
	cmd.Flags().StringVar(&source, "eventstore", "", "esdb://… or kurrentdb://…")
	cmd.Flags().StringVar(&copied, "replica", "", "file of the local copy")
	required(cmd, "eventstore", "replica")
	return cmd
}

func auditCompare(ctx context.Context, source, copied string, stdout io.Writer) (err error) {
	log, err := kurrent.Open(ctx, source, kurrent.ReadOnly())
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, log.Close()) }()
	local, err := sqlite.OpenReadOnly(ctx, copied)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, local.Close()) }()
	theirs, err := log.Info(ctx)
	if err != nil {
		return err
	}
	ours, err := local.Info(ctx)
	if err != nil {
		return err
	}
	if ours.ID != theirs.ID || ours.Epoch != theirs.Epoch {
		return fmt.Errorf("%s is a copy of log %s in epoch %d, and this is log %s in epoch %d: compare what belongs together",
			copied, ours.ID, ours.Epoch, theirs.ID, theirs.Epoch)
	}
	events, err := replica.Compare(ctx, log, local, progress(stdout, "Comparing"))
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(stdout, "%d events up to position %s are the same in the log and in its copy.\n", events, ours.Head)
	return err
}

func backupCommand() *cobra.Command {
	var store, to string
	cmd := &cobra.Command{
		Use:   "backup",
		Short: "Copy the event store into a file and verify the copy; the server may be running",
		Long: "Copy the event store into a file and verify the copy; the server may be running.\n\n" +
			"Personal data in the copy stays encrypted. Its keys, in keys.db, are not copied: whoever is erased later is\n" +
			"erased from every backup too. Keep the keys by a way of their own.",
		RunE: func(cmd *cobra.Command, _ []string) error {
			return backup(cmd.Context(), store, to, cmd.OutOrStdout())
		},
	}
	storeFlag(cmd, &store)
	cmd.Flags().StringVar(&to, "to", "", "file to be made")
	required(cmd, "to")
	return cmd
}

func restoreCommand() *cobra.Command {
	var store, from string
	cmd := &cobra.Command{
		Use:   "restore",
		Short: "Put the event store of a backup in the place of another, as a new epoch; the server must not be running",
		RunE: func(cmd *cobra.Command, _ []string) error {
			return restore(cmd.Context(), from, store, cmd.OutOrStdout())
		},
	}
	storeFlag(cmd, &store)
	cmd.Flags().StringVar(&from, "from", "", "the backup")
	required(cmd, "from")
	return cmd
}

func storeFlag(cmd *cobra.Command, store *string) {
	cmd.Flags().StringVar(store, "eventstore", "", "sqlite:PATH")
	required(cmd, "eventstore")
}

func required(cmd *cobra.Command, flags ...string) {
	for _, flag := range flags {
		if err := cmd.MarkFlagRequired(flag); err != nil {
			panic(err) // only for a flag that does not exist
		}
	}
}

// sqlitePath returns the file that a URL of an embedded event store names.
func sqlitePath(url string) (string, error) {
	path, ok := strings.CutPrefix(url, sqliteScheme)
	if !ok || path == "" {
		return "", fmt.Errorf("--eventstore%s is not understood; use sqlite:PATH", redact(url))
	}
	return path, nil
}

// copiedFile is sqlitePath for what makes copies of a log or takes them back.
func copiedFile(url string) (string, error) {
	if kind, _, _ := strings.Cut(url, ":"); slices.Contains(kurrentSchemes, strings.ToLower(kind)) {
		return "", errors.New("a KurrentDB is backed up and restored with its own tools; after a restore, run rolewise eventstore new-epoch before anything else writes to it")
	}
	return sqlitePath(url)
}

func auditVerify(ctx context.Context, store string, stdout io.Writer) error {
	path, err := sqlitePath(store)
	if err != nil {
		return err
	}
	start := time.Now()
	v, err := sqlite.Verify(ctx, path, progress(stdout, "Verifying"))
	if err != nil {
		return err
	}
	if v.Behind > 0 {
		fmt.Fprintf(stdout, "Its last %d events stand behind its head: they were committed and not acknowledged yet, or added since by another hand.\n", v.Behind)
	}
	_, err = fmt.Fprintf(stdout, "The log is what was written.\n  store     %s, epoch %d\n  events    %d of %d plans\n  position  %s\n  hash      %s\n  took      %s\n",
		v.Store, v.Epoch, v.Events, v.Plans, v.Last, v.Hash, time.Since(start).Round(time.Millisecond))
	return err
}

func auditHead(ctx context.Context, store string, accept bool, stdout io.Writer) error {
	path, err := sqlitePath(store)
	if err != nil {
		return err
	}
	head, err := sqlite.ReadHead(path)
	if accept {
		head, err = sqlite.AcceptHead(ctx, path)
	}
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(stdout, "store     %s, epoch %d\nevents    %d\nposition  %s\nhash      %s\ntime      %s\n",
		head.Store, head.Epoch, head.Count, head.Position, head.Hash, head.Time.UTC().Format(time.RFC3339Nano))
	return err
}

func backup(ctx context.Context, store, to string, stdout io.Writer) error {
	path, err := copiedFile(store)
	if err != nil {
		return err
	}
	if err := sqlite.Backup(ctx, path, to); err != nil {
		return err
	}
	v, err := sqlite.Verify(ctx, to, progress(stdout, "Verifying the copy"))
	if err != nil {
		return errors.Join(errors.New("the backup cannot be used"), err)
	}
	_, err = fmt.Fprintf(stdout, "Backed up %d events, up to position %s, into %s and %s.head.\n", v.Events, v.Last, to, to)
	return err
}

func restore(ctx context.Context, from, store string, stdout io.Writer) error {
	path, err := copiedFile(store)
	if err != nil {
		return err
	}
	info, err := sqlite.Restore(ctx, from, path, progress(stdout, "Verifying the backup"))
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(stdout, "Restored up to position %s, as epoch %d. Read models that had read further begin anew at the next start.\n", info.Head, info.Epoch)
	return err
}
