package main

import (
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/spf13/cobra"
)

// refuseUnknown makes every command refuse arguments, unless it says which it takes, so that those that only hold others refuse a
// command that they do not know; by itself such a command shows its help. What is said of wrong flags never shows an
// address, in which a password may stand. The function returned says, after the run, which unknown command help was
// asked for.
func refuseUnknown(root *cobra.Command) (helpless func() error) {
	root.InitDefaultCompletionCmd()
	var unknown error
	help := root.HelpFunc()
	root.SetHelpFunc(func(cmd *cobra.Command, args []string) {
		if unknown = noArgs(cmd, cmd.Flags().Args()); unknown == nil {
			help(cmd, args)
		}
	})
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		if cmd.HasSubCommands() { // the flag may be right for what was meant
			if unknown := noArgs(cmd, cmd.Flags().Args()); unknown != nil {
				return unknown
			}
		}
		if risky.MatchString(err.Error()) {
			return errors.New("a flag is not understood; write --name VALUE, with two dashes")
		}
		return err
	})
	var walk func(*cobra.Command)
	walk = func(cmd *cobra.Command) {
		if cmd.Annotations[takesNames] == "" {
			cmd.Args = noArgs
		}
		if cmd.HasSubCommands() {
			cmd.RunE = func(cmd *cobra.Command, _ []string) error { return cmd.Help() }
		}
		for _, sub := range cmd.Commands() {
			walk(sub)
		}
	}
	walk(root)
	return func() error { return unknown }
}

// takesNames marks a command that takes arguments of its own.
const takesNames = "takes names"

// risky are messages of the flag parser that quote more than the name of a flag.
var risky = regexp.MustCompile(`^unknown shorthand flag|^bad flag syntax|@|://`)

// word is what a mistyped command looks like; other arguments are not shown.
var word = regexp.MustCompile(`^[a-z][a-z0-9-]{0,30}$`)

// noArgs refuses arguments.
func noArgs(cmd *cobra.Command, args []string) error {
	switch {
	case len(args) == 0:
		return nil
	case !word.MatchString(args[0]):
		return fmt.Errorf("%s takes no argument without a flag; see %[1]s --help", cmd.CommandPath())
	}
	cmd.SuggestionsMinimumDistance = 2 // letters that may be wrong
	meant := ""
	if near := cmd.SuggestionsFor(args[0]); len(near) > 0 {
		meant = "; did you mean " + strings.Join(near, " or ") + "?"
	}
	return fmt.Errorf("unknown command %q for %q%s", args[0], cmd.CommandPath(), meant)
}
