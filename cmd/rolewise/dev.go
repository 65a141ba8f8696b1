package main

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"rolewise/commands"
	"rolewise/domain"
	"rolewise/domain/access"
	"rolewise/domain/plan"
	"rolewise/readmodels"
	"rolewise/sample"
	"rolewise/web"
)

// devOptions are the flags of rolewise dev.
type devOptions struct {
	listen, adminListen, data string
	empty                     bool
}

// credentials is what dev writes for those who want to use it (SPEC 15).
type credentials struct {
	URL         string `json:"url"`
	AdminURL    string `json:"admin_url"`
	Plan        string `json:"plan"`
	APIKey      string `json:"api_key"`
	OperatorKey string `json:"operator_key"`
	SignInURL   string `json:"sign_in_url"`
}

func devCommand() *cobra.Command {
	var o devOptions
	cmd := &cobra.Command{
		Use:   "dev",
		Short: "Run the whole system in this process, with a sample plan and no other server",
		Args:  cobra.NoArgs,
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

	log, err := openLog(ctx, "sqlite:"+filepath.Join(o.data, "events.db"))
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
	planID, err := fill(ctx, o, log, stdout)
	if err != nil {
		return err
	}
	sys, err := newSystem(ctx, log, models, logger)
	if err != nil {
		return err
	}
	at := filepath.Join(o.data, "dev-credentials.json")
	creds, err := sys.credentials(ctx, at, planID)
	if err != nil {
		return err
	}
	token := rand.Text()
	creds.URL, creds.AdminURL = "http://"+on.public.Addr().String(), "http://"+on.admin.Addr().String()
	creds.SignInURL = creds.URL + web.SignInPath(token)
	sys.pages = func(rest http.Handler) http.Handler {
		return web.New(string(planID), token, readmodels.NewQueries(models), logger, rest)
	}
	return sys.run(ctx, on, creds.OperatorKey, func() error {
		if err := writeFile(at, creds); err != nil {
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

func createEmpty(ctx context.Context, log *eventLog) error {
	handler := commands.New(log, time.Now, log.emailKey)
	if err := handler.Bootstrap(ctx); err != nil {
		return err
	}
	_, err := handler.Handle(ctx, commands.Request{Plan: emptyPlan, Principal: operator}, commands.CreatePlan{
		Plan: emptyPlan, Name: "Development", Tier: plan.Enterprise, OwnerName: "Development Owner", OwnerEmail: "owner@dev.example",
	})
	if domain.CodeOf(err) == "plan_exists" {
		return nil
	}
	return err
}

// operator is the principal under which the command line acts.
var operator = access.Principal{ID: "operator", Vendor: true}

// credentials returns those of the last start as far as they are still valid, and makes the others.
func (s *system) credentials(ctx context.Context, file string, planID domain.PlanID) (credentials, error) {
	var creds credentials
	old, err := os.ReadFile(file)
	if err == nil {
		err = json.Unmarshal(old, &creds)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return creds, fmt.Errorf("read %s: %w; remove it and start again", file, err)
	}
	if creds.OperatorKey == "" {
		creds.OperatorKey = "rwop_" + rand.Text() + rand.Text()
	}
	principal, ok, err := s.commands.Authenticate(ctx, creds.APIKey)
	if err != nil || (ok && principal.Plan == planID) {
		creds.Plan = string(planID)
		return creds, err
	}
	state, err := s.commands.Plan(ctx, planID)
	if err != nil {
		return creds, err
	}
	answer, err := s.commands.Handle(ctx, commands.Request{Plan: planID, Principal: operator}, commands.CreateAPIKey{
		Name: "dev", Scopes: []access.Scope{access.Everything}, Member: state.Owner,
	})
	creds.Plan, creds.APIKey = string(planID), answer.APIKey
	return creds, err
}

// writeFile replaces a file whole, readable by its owner only.
func writeFile(file string, value any) error {
	b, err := json.MarshalIndent(value, "", "  ")
	if err != nil {
		return err
	}
	if err := os.WriteFile(file+".new", append(b, '\n'), 0o600); err != nil {
		return fmt.Errorf("write credentials: %w", err)
	}
	return os.Rename(file+".new", file)
}
