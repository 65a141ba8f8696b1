package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"rolewise/readmodels"
)

// serveOptions are the flags of rolewise serve.
type serveOptions struct {
	listen, adminListen, eventstore, redis, data, replica, operatorKeyFile string

	partitions int
	manual     bool // changed projections are rebuilt only when an operator says so

	role role
}

func serveCommand() *cobra.Command {
	o := serveOptions{role: roleAll}
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Run the system for production: API and projectors on an event store and Redis",
		RunE: func(cmd *cobra.Command, _ []string) error {
			return serve(cmd.Context(), o, cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	cmd.Flags().StringVar(&o.listen, "listen", "127.0.0.1:8080", "address of the API")
	cmd.Flags().StringVar(&o.adminListen, "admin-listen", "127.0.0.1:8081", "address of health, metrics and version")
	cmd.Flags().StringVar(&o.eventstore, "eventstore", "", "sqlite:PATH, or esdb://… or kurrentdb://… for a KurrentDB")
	cmd.Flags().StringVar(&o.redis, "redis", "", "redis://…, rediss://…, redis-cluster://host:port,… or memory")
	cmd.Flags().IntVar(&o.partitions, "partitions", 0, "over how many partitions new read models spread the plans, a power of two; 8 if it is left out")
	cmd.Flags().StringVar(&o.data, "data", "", "directory of the keys of personal data and the operator's key; that of the SQLite file if it is left out")
	cmd.Flags().StringVar(&o.replica, "replica", "", "file of the local copy of a log in KurrentDB, from which history is read; each process needs its own; replica.db in the data directory if it is left out")
	cmd.Flags().StringVar(&o.operatorKeyFile, "operator-key-file", "", "file with the operator's key; made in the data directory if it is left out")
	cmd.Flags().Var(&o.role, "role", "what this process does: all, api (queries and commands) or projector (read models)")
	cmd.Flags().BoolVar(&o.manual, "no-rebuild", false, "leave it to rolewise projections rebuild when a projection whose rules have changed is built anew")
	for _, required := range []string{"eventstore", "redis"} {
		if err := cmd.MarkFlagRequired(required); err != nil {
			panic(err) // only for a flag that does not exist
		}
	}
	return cmd
}

func serve(ctx context.Context, o serveOptions, stdout, stderr io.Writer) error {
	if err := o.shared(); err != nil {
		return err
	}
	on, err := o.ports()
	if err != nil {
		return err
	}
	defer on.Close()
	models, err := openModels(ctx, o.redis)
	if err != nil {
		return err
	}
	defer models.Close()
	parts, err := partitions(ctx, models, readmodels.Partitions(o.partitions))
	if err != nil {
		return err
	}
	log, err := openLog(ctx, o.log())
	if err != nil {
		return err
	}
	defer log.Close()
	var key, where string
	if o.role.answers() {
		if key, where, err = operatorKey(o); err != nil {
			return err
		}
	}
	logger := slog.New(slog.NewJSONHandler(stderr, nil))
	sys, err := newSystemAs(ctx, setup{role: o.role, log: log, models: models, parts: parts, manual: o.manual, logger: logger})
	if err != nil {
		return err
	}
	return sys.run(ctx, on, key, func() error {
		if !o.role.answers() {
			_, err := fmt.Fprintf(stdout, "Rolewise is ready.\n  admin         %s\n", address(on.admin))
			return err
		}
		_, err := fmt.Fprintf(stdout, "Rolewise is ready.\n  API           %s\n  admin         %s\n  operator key  %s\n", address(on.public), address(on.admin), where)
		return err
	})
}

// log says where the log is. Who answers no requests needs no copy of it.
func (o serveOptions) log() logOptions {
	at := logOptions{url: o.eventstore, data: o.data}
	if o.role.answers() {
		at.replica = o.replica
		if at.replica == "" {
			at.replica = filepath.Join(o.data, "replica.db")
		}
	}
	return at
}

// shared refuses to be one process of several on stores that only one process can open.
func (o serveOptions) shared() error {
	switch {
	case o.role.answers() && o.role.projects():
		return nil
	case o.redis == "memory":
		return fmt.Errorf("--role %s works beside other processes, and --redis memory is seen by this one only; give the address of a Redis, or leave out --role", o.role)
	case strings.HasPrefix(o.eventstore, "sqlite:"):
		return fmt.Errorf("--role %s works beside other processes, and a sqlite file is opened by one only; give the address of a KurrentDB, or leave out --role", o.role)
	}
	return nil
}

// ports takes those that the role serves.
func (o serveOptions) ports() (listeners, error) {
	if o.role.answers() {
		return listen(o.listen, o.adminListen)
	}
	admin, err := take("admin-listen", o.adminListen)
	return listeners{admin: admin}, err
}

// operatorKeyVariable names the variable of the environment that may hold the operator's key.
const operatorKeyVariable = "ROLEWISE_OPERATOR_KEY"

// operatorKey returns the operator's key and where it stands: in ROLEWISE_OPERATOR_KEY, else in the file, which is made
// at the first start, readable by its owner only.
func operatorKey(o serveOptions) (key, where string, err error) {
	if key := os.Getenv(operatorKeyVariable); key != "" {
		return key, operatorKeyVariable, strong(key, operatorKeyVariable)
	}
	file := o.operatorKeyFile
	if file == "" {
		data, err := dataDirectory(o.eventstore, o.data)
		if err != nil {
			return "", "", err
		}
		file = filepath.Join(data, "operator.key")
	}
	content, err := os.ReadFile(file)
	if err == nil {
		key = strings.TrimSpace(string(content))
		return key, file, strong(key, file)
	}
	if !errors.Is(err, fs.ErrNotExist) || o.operatorKeyFile != "" {
		return "", "", fmt.Errorf("read the operator's key: %w", err)
	}
	key = newOperatorKey()
	if err := replace(file, []byte(key+"\n")); err != nil {
		return "", "", fmt.Errorf("write the operator's key: %w", err)
	}
	return key, file, nil
}

func newOperatorKey() string { return "rwop_" + rand.Text() + rand.Text() }

// strong refuses an operator's key that could be guessed.
func strong(key, where string) error {
	switch {
	case key == "":
		return fmt.Errorf("the operator's key in %s is empty", where)
	case len(key) < 32:
		return fmt.Errorf("the operator's key in %s is too short to be safe; use at least 32 random characters", where)
	}
	return nil
}
