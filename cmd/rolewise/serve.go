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
)

// serveOptions are the flags of rolewise serve.
type serveOptions struct {
	listen, adminListen, eventstore, redis, operatorKeyFile string
}

func serveCommand() *cobra.Command {
	var o serveOptions
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Run the system for production: API and projectors on an event store and Redis",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return serve(cmd.Context(), o, cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	cmd.Flags().StringVar(&o.listen, "listen", "127.0.0.1:8080", "address of the API")
	cmd.Flags().StringVar(&o.adminListen, "admin-listen", "127.0.0.1:8081", "address of health, metrics and version")
	cmd.Flags().StringVar(&o.eventstore, "eventstore", "", "sqlite:PATH")
	cmd.Flags().StringVar(&o.redis, "redis", "", "redis://…, rediss://…, redis-cluster://host:port,… or memory")
	cmd.Flags().StringVar(&o.operatorKeyFile, "operator-key-file", "", "file with the operator's key; made beside the event store if it is left out")
	for _, required := range []string{"eventstore", "redis"} {
		if err := cmd.MarkFlagRequired(required); err != nil {
			panic(err) // only for a flag that does not exist
		}
	}
	return cmd
}

func serve(ctx context.Context, o serveOptions, stdout, stderr io.Writer) error {
	on, err := listen(o.listen, o.adminListen)
	if err != nil {
		return err
	}
	defer on.Close()
	models, err := openModels(ctx, o.redis)
	if err != nil {
		return err
	}
	defer models.Close()
	log, err := openLog(ctx, o.eventstore)
	if err != nil {
		return err
	}
	defer log.Close()
	key, err := operatorKey(o)
	if err != nil {
		return err
	}
	logger := slog.New(slog.NewJSONHandler(stderr, nil))
	sys, err := newSystem(ctx, log, models, logger)
	if err != nil {
		return err
	}
	return sys.run(ctx, on, key, func() error {
		_, err := fmt.Fprintf(stdout, "Rolewise is ready.\n  API     http://%s\n  admin   http://%s\n", on.public.Addr(), on.admin.Addr())
		return err
	})
}

// operatorKey returns the operator's key: from ROLEWISE_OPERATOR_KEY, else from the file, which is made at the first
// start, readable by its owner only.
func operatorKey(o serveOptions) (string, error) {
	if key := os.Getenv("ROLEWISE_OPERATOR_KEY"); key != "" {
		return strongKey(key)
	}
	file := o.operatorKeyFile
	if file == "" {
		file = filepath.Join(filepath.Dir(strings.TrimPrefix(o.eventstore, "sqlite:")), "operator.key")
	}
	key, err := os.ReadFile(file)
	if err == nil {
		return strongKey(strings.TrimSpace(string(key)))
	}
	if !errors.Is(err, fs.ErrNotExist) || o.operatorKeyFile != "" {
		return "", fmt.Errorf("read the operator's key: %w", err)
	}
	made := "rwop_" + rand.Text() + rand.Text()
	if err := os.WriteFile(file, []byte(made+"\n"), 0o600); err != nil {
		return "", fmt.Errorf("write the operator's key: %w", err)
	}
	return made, nil
}

func strongKey(key string) (string, error) {
	if len(key) < 32 {
		return "", errors.New("the operator's key is too short to be safe; use at least 32 random characters")
	}
	return key, nil
}
