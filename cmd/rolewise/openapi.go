package main

import (
	"github.com/spf13/cobra"

	"rolewise/api"
)

func openapiCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "openapi",
		Short: "Print the OpenAPI document",
		RunE: func(cmd *cobra.Command, _ []string) error {
			document, err := api.OpenAPI("", version())
			if err != nil {
				return err
			}
			_, err = cmd.OutOrStdout().Write(document)
			return err
		},
	}
}
