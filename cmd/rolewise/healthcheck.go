package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/spf13/cobra"
)

// probeBound is how long the answer of a process may take before it counts as not ready.
const probeBound = 4 * time.Second

// healthcheckCommand is for images that hold nothing but the program, and so no curl.
func healthcheckCommand() *cobra.Command {
	admin := ""
	cmd := &cobra.Command{
		Use:   "healthcheck",
		Short: "Ask a running process whether it is ready; the exit code is 0 if so, else 1",
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := probe(cmd.Context(), admin); err != nil {
				return err
			}
			_, err := fmt.Fprintln(cmd.OutOrStdout(), "ready")
			return err
		},
	}
	cmd.Flags().StringVar(&admin, "admin", "http://127.0.0.1:8081", "URL of the process's admin listener")
	return cmd
}

// probe returns nil if the process behind an admin listener is ready (SPEC OPS-3).
func probe(ctx context.Context, admin string) error {
	ctx, cancel := context.WithTimeout(ctx, probeBound)
	defer cancel()
	at, err := url.Parse(admin)
	if err != nil || at.Scheme != "http" || at.Host == "" {
		return errors.New("--admin is not understood; use http://HOST:PORT")
	}
	shown := (&url.URL{Scheme: at.Scheme, Host: at.Host}).String() // the rest may hold a password
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, at.JoinPath("readyz").String(), nil)
	if err != nil {
		return fmt.Errorf("ask %s: %w", shown, err)
	}
	// No proxy of the environment: the process is beside this one.
	answer, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(request)
	if err != nil {
		return fmt.Errorf("no answer from %s: %w", shown, err)
	}
	defer answer.Body.Close()
	if answer.StatusCode == http.StatusOK {
		return nil
	}
	var said struct{ Status string }
	if err := json.NewDecoder(answer.Body).Decode(&said); err != nil || said.Status == "" {
		said.Status = answer.Status
	}
	return fmt.Errorf("not ready: %s", said.Status)
}
