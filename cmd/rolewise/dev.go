package main

import (
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"rolewise/commands"
	"rolewise/domain"
	"rolewise/domain/access"
	"rolewise/domain/plan"
	"rolewise/sample"
	"rolewise/web"
)

// devOptions are the flags of rolewise dev.
type devOptions struct {
	listen, adminListen, data string
	empty                     bool
}

func devCommand() *cobra.Command {
	var o devOptions
	cmd := &cobra.Command{
		Use:   "dev",
		Short: "Run the whole system in this process, with a sample plan and no other server",
		RunE: func(cmd *cobra.Command, _ []string) error {
			return dev(cmd.Context(), o, cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	cmd.Flags().StringVar(&o.listen, "listen", "127.0.0.1:8080", "address of the API and the dashboard")
	cmd.Flags().StringVar(&o.adminListen, "admin-listen", "127.0.0.1:8081", "address of health, metrics and version")
	cmd.Flags().StringVar(&o.data, "data", "data", "directory of the event store, its keys, and dev-credentials.json")
	cmd.Flags().BoolVar(&o.empty, "empty", false, "start with an empty plan instead of the sample")
	return cmd
}

func dev(ctx context.Context, o devOptions, stdout, stderr io.Writer) error {
	on, err := listen(o.listen, o.adminListen)
	if err != nil {
		return err
	}
	defer on.Close()

	log, err := openLog(ctx, logOptions{url: sqliteScheme + filepath.Join(o.data, "events.db")})
	if err != nil {
		return err
	}
	defer log.Close()
	models, err := openModels(ctx, "memory")
	if err != nil {
		return err
	}
	defer models.Close()
	logger := slog.New(slog.NewTextHandler(stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
	at := credentialsFile(filepath.Join(o.data, "dev-credentials.json"))
	last, err := at.take()
	if err != nil {
		return err
	}
	planID, err := fill(ctx, o, log, stdout)
	if err != nil {
		return err
	}
	sys, err := newSystem(ctx, log, models, logger)
	if err != nil {
		return err
	}
	creds, err := sys.credentials(ctx, last, planID)
	if err != nil {
		return err
	}
	token := rand.Text()
	creds.URL, creds.AdminURL = address(on.public), address(on.admin)
	creds.SignInURL = creds.URL + web.SignInPath(token)
	sys.pages = func(rest http.Handler) http.Handler {
		return web.New(string(planID), token, sys.queries, logger, rest)
	}
	return sys.run(ctx, on, creds.OperatorKey, func() error {
		if err := at.write(creds); err != nil {
			return err
		}
		_, err := fmt.Fprintf(stdout, "Rolewise is ready.\n  API           %s\n  admin         %s\n  sign in       %s\n  plan          %s\n  API key       %s\n  credentials   %s\n",
			creds.URL, creds.AdminURL, creds.SignInURL, creds.Plan, creds.APIKey, at)
		return err
	})
}

// The plans of dev, with the sample and --empty.
const (
	samplePlan domain.PlanID = "acme"
	emptyPlan  domain.PlanID = "dev"
)

// fill writes the sample plan, or an empty one, unless it is there already, and returns its id.
func fill(ctx context.Context, o devOptions, log *eventLog, stdout io.Writer) (domain.PlanID, error) {
	if o.empty {
		return emptyPlan, createEmpty(ctx, log)
	}
	mix, err := sample.Generate(ctx, log, log.emailKey, sample.Options{
		Plan: samplePlan, End: time.Now(), Progress: progress(stdout, "Writing a year of history for plan "+string(samplePlan)),
	})
	if err != nil {
		return "", fmt.Errorf("write the sample plan: %w", err)
	}
	if !mix.Already {
		fmt.Fprint(stdout, mix)
	}
	return samplePlan, nil
}

// createEmpty creates the empty plan. The key is always the same, so that a start that was cut off between the plan's
// first event and its owner's is completed by the next.
func createEmpty(ctx context.Context, log *eventLog) error {
	handler := commands.New(log, time.Now, log.emailKey)
	if err := handler.Bootstrap(ctx); err != nil {
		return err
	}
	_, err := handler.Handle(ctx, commands.Request{Plan: emptyPlan, Principal: operator, Key: "dev"}, commands.CreatePlan{
		Plan: emptyPlan, Name: "Development", Tier: plan.Enterprise, OwnerName: "Development Owner", OwnerEmail: "owner@dev.example",
	})
	if domain.CodeOf(err) == "plan_exists" {
		return nil
	}
	return err
}

// operator is the principal under which the command line acts.
var operator = access.Principal{ID: "operator", Vendor: true}
