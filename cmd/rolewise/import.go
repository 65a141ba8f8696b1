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
		RunE: func(cmd *cobra.Command, _ []string) error {
			if store == "" {
				store = sqliteScheme + filepath.Join(data, "events.db")
			} else if !cmd.Flags().Changed("data") {
				data = ""
			}
			return importCatalog(cmd.Context(), onet, store, data, cmd.OutOrStdout())
		},
	}
	catalog.Flags().StringVar(&onet, "onet", "", "directory with the O*NET tables as published")
	catalog.Flags().StringVar(&data, "data", "data", "data directory of rolewise dev")
	catalog.Flags().StringVar(&store, "eventstore", "", "sqlite:PATH, or esdb://… for a KurrentDB, instead of the one in --data")
	if err := catalog.MarkFlagRequired("onet"); err != nil {
		panic(err) // only for a flag that does not exist
	}
	cmd.AddCommand(catalog)
	return cmd
}

func importCatalog(ctx context.Context, dir, store, data string, stdout io.Writer) error {
	log, err := openLog(ctx, logOptions{url: store, data: data})
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
