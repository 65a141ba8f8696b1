package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"rolewise/commands"
	"rolewise/domain"
	"rolewise/domain/access"
)

// credentials is what dev writes for those who want to use it (SPEC 15).
type credentials struct {
	URL         string `json:"url"`
	AdminURL    string `json:"admin_url"`
	Plan        string `json:"plan"`
	APIKey      string `json:"api_key"`
	OperatorKey string `json:"operator_key"`
	SignInURL   string `json:"sign_in_url"`
}

// credentialsFile is the path of the file with the credentials. It is there only once the process that they belong to
// is ready; until then those of the last start lie beside it, so that a crash in between loses no key.
type credentialsFile string

func (f credentialsFile) aside() string { return string(f) + ".old" }

// take returns the credentials of the last start and moves their file aside. There may be none.
func (f credentialsFile) take() (credentials, error) {
	last, found, err := readCredentials(string(f))
	if err != nil {
		return credentials{}, err
	}
	if !found {
		last, _, err = readCredentials(f.aside())
		return last, err
	}
	if err := os.Rename(string(f), f.aside()); err != nil {
		return credentials{}, fmt.Errorf("move the last credentials aside: %w", err)
	}
	return last, nil
}

// write puts the credentials in place of those of the last start.
func (f credentialsFile) write(c credentials) error {
	b, err := json.MarshalIndent(c, "", "  ")
	if err != nil {
		return fmt.Errorf("encode credentials: %w", err)
	}
	if err := replace(string(f), append(b, '\n')); err != nil {
		return fmt.Errorf("write credentials: %w", err)
	}
	if err := os.Remove(f.aside()); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("remove the last credentials: %w", err)
	}
	return nil
}

func readCredentials(file string) (c credentials, found bool, err error) {
	b, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return c, false, nil
	}
	if err == nil {
		err = json.Unmarshal(b, &c)
	}
	if err != nil {
		return credentials{}, false, fmt.Errorf("read %s: %w; remove it and start again", file, err)
	}
	return c, true, nil
}

// credentials returns those of the last start as far as they are still valid, and makes the others.
func (s *system) credentials(ctx context.Context, last credentials, planID domain.PlanID) (credentials, error) {
	creds := credentials{Plan: string(planID), APIKey: last.APIKey, OperatorKey: last.OperatorKey}
	if creds.OperatorKey == "" {
		creds.OperatorKey = newOperatorKey()
	}
	principal, ok, err := s.commands.Authenticate(ctx, creds.APIKey)
	if err != nil || (ok && principal.Plan == planID) {
		return creds, err
	}
	state, err := s.commands.Plan(ctx, planID)
	if err != nil {
		return creds, err
	}
	answer, err := s.commands.Handle(ctx, commands.Request{Plan: planID, Principal: operator}, commands.CreateAPIKey{
		Name: "dev", Scopes: []access.Scope{access.Everything}, Member: state.Owner,
	})
	creds.APIKey = answer.APIKey
	return creds, err
}

// replace writes a file whole or not at all, also if the machine fails meanwhile. Only its owner can read it.
func replace(file string, content []byte) (err error) {
	temporary, err := os.CreateTemp(filepath.Dir(file), filepath.Base(file)+".*.new") // with mode 0600
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(temporary.Name()))
		}
	}()
	_, err = temporary.Write(content)
	if err == nil {
		err = temporary.Sync()
	}
	if err = errors.Join(err, temporary.Close()); err != nil {
		return err
	}
	return os.Rename(temporary.Name(), file)
}
