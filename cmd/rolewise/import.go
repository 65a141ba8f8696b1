package main

import (
	"context"
	"fmt"
	"io"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"rolewise/commands"
	"rolewise/commands/catalogimport"
)

func importCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "import", Short: "Import from files"}
	var onet, data, store string
	catalog := &cobra.Command{
		Use:   "catalog",
		Short: "Import roles and skills into the vendor's catalog; the server must not be running on the same store",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if store == "" {
				store = "sqlite:" + filepath.Join(data, "events.db")
			}
			return importCatalog(cmd.Context(), onet, store, cmd.OutOrStdout())
		},
	}
	catalog.Flags().StringVar(&onet, "onet", "", "directory with the O*NET tables as published")
	catalog.Flags().StringVar(&data, "data", "data", "data directory of rolewise dev")
	catalog.Flags().StringVar(&store, "eventstore", "", "sqlite:PATH, instead of --data")
	if err := catalog.MarkFlagRequired("onet"); err != nil {
		panic(err) // only for a flag that does not exist
	}
	cmd.AddCommand(catalog)
	return cmd
}

func importCatalog(ctx context.Context, dir, store string, stdout io.Writer) error {
	log, err := openLog(ctx, store)
	if err != nil {
		return err
	}
	defer log.Close()
	handler := commands.New(log, time.Now, log.emailKey)
	if err := handler.Bootstrap(ctx); err != nil {
		return err
	}
	report, err := catalogimport.ONET(ctx, handler, dir, catalogimport.Options{Progress: progress(stdout, "Importing O*NET")})
	if err != nil {
		return err
	}
	_, err = fmt.Fprint(stdout, report)
	return err
}
