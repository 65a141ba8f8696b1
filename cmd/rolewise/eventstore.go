package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"rolewise/eventstore"
	"rolewise/eventstore/kurrent"
	"rolewise/eventstore/kurrenttest"
	"rolewise/eventstore/sqlite"
)

func eventstoreCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "eventstore", Short: "Work with the event log"}
	cmd.AddCommand(eventstoreServeCommand(), newEpochCommand())
	return cmd
}

func newEpochCommand() *cobra.Command {
	var store string
	cmd := &cobra.Command{
		Use:   "new-epoch",
		Short: "Say that a KurrentDB was restored from a backup, before anything else writes to it",
		Long: "Says that a KurrentDB was restored from a backup, so that read models and copies which had read further begin anew.\n" +
			"Run it once after the restore, while no server runs. For a SQLite event store, restore does it by itself.",
		RunE: func(cmd *cobra.Command, _ []string) error {
			return newEpoch(cmd.Context(), store, cmd.OutOrStdout())
		},
	}
	cmd.Flags().StringVar(&store, "eventstore", "", "esdb://… or kurrentdb://…")
	required(cmd, "eventstore")
	return cmd
}

func newEpoch(ctx context.Context, url string, stdout io.Writer) (err error) {
	store, err := kurrent.Open(ctx, url)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	info, err := store.NewEpoch(ctx)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(stdout, "The log %s is in epoch %d now.\n", info.ID, info.Epoch)
	return err
}

// replayOptions are the flags of rolewise eventstore serve.
type replayOptions struct {
	eventstore, listen                   string
	certificate, key, user, passwordFile string
	insecure                             bool
}

func eventstoreServeCommand() *cobra.Command {
	var o replayOptions
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Let KurrentDB clients replay the log, read-only",
		Long: "Serves the log of a SQLite event store over the protocol of KurrentDB (EventStoreDB), so that an auditor can replay\n" +
			"it with a client in any language. Nothing can be appended. Personal fields stay encrypted.",
		RunE: func(cmd *cobra.Command, _ []string) error {
			return replay(cmd.Context(), o, cmd.OutOrStdout())
		},
	}
	cmd.Flags().StringVar(&o.eventstore, "eventstore", "", "sqlite:PATH")
	cmd.Flags().StringVar(&o.listen, "listen", "127.0.0.1:2113", "address for clients")
	cmd.Flags().StringVar(&o.certificate, "tls-cert", "", "file with the server's certificate and those between it and the authority (PEM)")
	cmd.Flags().StringVar(&o.key, "tls-key", "", "file with the certificate's private key (PEM)")
	cmd.Flags().StringVar(&o.user, "user", "", "name that clients sign in with")
	cmd.Flags().StringVar(&o.passwordFile, "password-file", "", "file with the password")
	cmd.Flags().BoolVar(&o.insecure, "insecure", false, "without TLS and credentials, on a loopback address only")
	if err := cmd.MarkFlagRequired("eventstore"); err != nil {
		panic(err) // only for a flag that does not exist
	}
	return cmd
}

// replay serves the log until the context ends.
func replay(ctx context.Context, o replayOptions, stdout io.Writer) error {
	path, err := sqlitePath(o.eventstore)
	if err != nil {
		return err
	}
	protection, err := o.protection()
	if err != nil {
		return err
	}
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("there is no event store at %s; give the file of an existing one", path)
	}
	listener, err := take("listen", o.listen)
	if err != nil {
		return err
	}
	store, err := sqlite.OpenReadOnly(ctx, path)
	if err != nil {
		return errors.Join(err, listener.Close())
	}
	front, err := kurrenttest.Start(ctx, store, append(protection,
		kurrenttest.OnListener(listener), kurrenttest.ReadOnly(), kurrenttest.SystemEvents(0))...)
	if err != nil {
		return errors.Join(err, listener.Close(), store.Close())
	}
	connection := "esdb://" + front.Address() + "?tls=true, with the user's name and password"
	if o.insecure {
		connection = "esdb://" + front.Address() + "?tls=false"
	}
	if _, err = fmt.Fprintf(stdout, "The event log can be replayed.\n  connection  %s\n", connection); err == nil {
		err = watch(ctx, store)
	}
	return errors.Join(err, front.Close(), store.Close())
}

// watch returns when the context ends, without an error, or when the log has become another one.
func watch(ctx context.Context, store eventstore.Store) error {
	info, err := store.Info(ctx)
	if err == nil {
		for _, err = range store.Follow(ctx, info.Head, eventstore.Filter{}) {
			if err != nil {
				break
			}
		}
	}
	switch {
	case ctx.Err() != nil:
		return nil
	case errors.Is(err, eventstore.ErrClosed):
		return errors.New("the event log was replaced by a restore; start again to serve the new one")
	}
	return err
}

// protection turns the flags into what keeps strangers out, or says what is missing.
func (o replayOptions) protection() ([]kurrenttest.Option, error) {
	secrets := []struct{ flag, value string }{
		{"--tls-cert", o.certificate}, {"--tls-key", o.key}, {"--user", o.user}, {"--password-file", o.passwordFile},
	}
	var missing, given []string
	for _, s := range secrets {
		if s.value == "" {
			missing = append(missing, s.flag)
		} else {
			given = append(given, s.flag)
		}
	}
	switch {
	case o.insecure && len(given) > 0:
		return nil, fmt.Errorf("--insecure serves without TLS and credentials, but %s was given; leave out one or the other", given[0])
	case o.insecure && !loopback(o.listen):
		return nil, fmt.Errorf("--insecure works on a loopback address only, and %s is none; listen on 127.0.0.1, or give --tls-cert, --tls-key, --user and --password-file", o.listen)
	case o.insecure:
		return nil, nil
	case len(missing) > 0:
		return nil, fmt.Errorf("the log is served with TLS and credentials only, but %s is missing; to try it out, use --insecure on a loopback address", strings.Join(missing, ", "))
	case strings.ContainsRune(o.user, ':'):
		return nil, errors.New("--user must not contain a colon: clients could not send it")
	}
	certificate, err := readCertificate(o.certificate, o.key)
	if err != nil {
		return nil, err
	}
	password, err := readPassword(o.passwordFile)
	if err != nil {
		return nil, err
	}
	return []kurrenttest.Option{kurrenttest.TLS(certificate), kurrenttest.Credentials(o.user, password)}, nil
}

func readCertificate(file, keyFile string) (tls.Certificate, error) {
	certificate, err := tls.LoadX509KeyPair(file, keyFile)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("read the certificate in --tls-cert %s and its key in --tls-key %s: %w", file, keyFile, err)
	}
	if leaf := certificate.Leaf; leaf != nil && time.Now().After(leaf.NotAfter) {
		return tls.Certificate{}, fmt.Errorf("the certificate in --tls-cert %s expired on %s; get a new one", file, leaf.NotAfter.Format(time.DateOnly))
	}
	return certificate, nil
}

// shortest is the least length of the password, in bytes.
const shortest = 12

func readPassword(file string) (string, error) {
	content, err := os.ReadFile(file)
	if err != nil {
		return "", fmt.Errorf("read the password: %w", err)
	}
	password := strings.TrimRight(string(content), "\r\n")
	if len(password) < shortest {
		return "", fmt.Errorf("the password in %s is too short to be safe; use at least %d characters", file, shortest)
	}
	return password, nil
}

// loopback tells whether only this machine can reach an address.
func loopback(address string) bool {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return false
	}
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}
