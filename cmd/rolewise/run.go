package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"
)

// Run carries out a command line and returns the exit code. Whatever goes wrong is one line on stderr.
func Run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	root := &cobra.Command{
		Use:           "rolewise",
		Short:         "Know at any moment how ready your people are for their roles",
		SilenceErrors: true,
		SilenceUsage:  true,
	}
	root.SetArgs(args)
	root.SetOut(stdout)
	root.SetErr(stderr)
	root.AddCommand(devCommand(), serveCommand(), importCommand(), projectionsCommand(), parkedCommand(), auditCommand(), backupCommand(), restoreCommand(), openapiCommand(), eventstoreCommand(), healthcheckCommand(), versionCommand())
	helpless := refuseUnknown(root)
	if err := errors.Join(root.ExecuteContext(ctx), helpless()); err != nil && !errors.Is(err, context.Canceled) {
		fmt.Fprintln(stderr, "rolewise:", oneLine(err))
		return 1
	}
	return 0
}

// oneLine keeps what a joined or nested error says on the one line that an operator reads.
func oneLine(err error) string {
	return strings.Join(strings.Fields(err.Error()), " ")
}

func versionCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print the version",
		RunE: func(cmd *cobra.Command, _ []string) error {
			_, err := fmt.Fprintln(cmd.OutOrStdout(), version())
			return err
		},
	}
}
