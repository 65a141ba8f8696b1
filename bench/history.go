package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sync/errgroup"

	"rolewise/commands"
	"rolewise/domain"
	"rolewise/domain/access"
	"rolewise/domain/events"
	"rolewise/eventstore"
	"rolewise/eventstore/shred"
	"rolewise/eventstore/sqlite"
	"rolewise/sample"
)

// history is the log of the other benchmarks: several plans with a year of sample events each, and an API key for each.
type history struct {
	folder string // of events.db and keys.db, closed; to be copied by who appends to it
	events int
	plans  []planLoad
}

// planLoad is a plan, the key of a client that may do everything in it, and the commands to send.
type planLoad struct {
	id     domain.PlanID
	key    string
	source *sample.Source
}

const seed = 2026

// history makes the log at the first call.
func (s *suite) history(ctx context.Context) (*history, error) {
	if s.sample != nil {
		return s.sample, nil
	}
	folder, err := s.scratch("history")
	if err != nil {
		return nil, err
	}
	h := &history{folder: folder, plans: make([]planLoad, s.plans)}
	log, err := openLog(ctx, folder)
	if err != nil {
		return nil, err
	}
	group, inside := errgroup.WithContext(ctx)
	for i := range h.plans {
		group.Go(func() (err error) {
			h.plans[i], err = log.generate(inside, fmt.Sprintf("acme-%d", i+1), s.perPlan)
			return err
		})
	}
	err = group.Wait()
	if err == nil {
		var info eventstore.Info
		info, err = log.Info(ctx)
		h.events = int(info.Head)
	}
	if err = errors.Join(err, log.Close()); err != nil {
		return nil, fmt.Errorf("make the history: %w", err)
	}
	s.say("history of %s events in %d plans made", thousands(float64(h.events)), len(h.plans))
	s.sample = h
	return h, nil
}

// copyTo copies the log with its keys into a folder.
func (h *history) copyTo(folder string) error { return os.CopyFS(folder, os.DirFS(h.folder)) }

// encryptedLog is the event store as the server has it: personal fields are encrypted.
type encryptedLog struct {
	eventstore.Store
	keys     *shred.Keys
	emailKey []byte
}

func openLog(ctx context.Context, folder string) (*encryptedLog, error) {
	store, err := sqlite.Open(ctx, filepath.Join(folder, "events.db"))
	if err != nil {
		return nil, err
	}
	keys, err := shred.OpenKeys(ctx, filepath.Join(folder, "keys.db"))
	if err != nil {
		return nil, errors.Join(err, store.Close())
	}
	emailKey, err := keys.Secret(ctx, "email")
	if err != nil {
		return nil, errors.Join(err, keys.Close(), store.Close())
	}
	fields := shred.Fields{}
	for name, tagged := range events.All.PersonalFields() {
		for _, p := range tagged {
			fields[name] = append(fields[name], shred.Field{Path: p.Field, Subject: p.Subject})
		}
	}
	return &encryptedLog{shred.New(store, keys, fields), keys, emailKey}, nil
}

func (l *encryptedLog) Close() error { return errors.Join(l.Store.Close(), l.keys.Close()) }

// generate makes a plan.
func (l *encryptedLog) generate(ctx context.Context, name string, size int) (planLoad, error) {
	o := sample.Options{Seed: seed, Plan: domain.PlanID(name), Size: sample.DefaultSize, End: time.Now()}
	o.Events = size
	if _, err := sample.Generate(ctx, l, l.emailKey, o); err != nil {
		return planLoad{}, err
	}
	end, err := sample.EndOf(ctx, l, o.Plan)
	if err != nil {
		return planLoad{}, err
	}
	o.End = end
	source, err := sample.NewSource(o, seed, time.Now)
	if err != nil {
		return planLoad{}, err
	}
	operator := access.Principal{ID: "operator", Vendor: true}
	answer, err := commands.New(l, time.Now, l.emailKey).Handle(ctx, commands.Request{Plan: o.Plan, Principal: operator},
		commands.CreateAPIKey{Name: "load", Scopes: []access.Scope{access.Everything}})
	return planLoad{id: o.Plan, key: answer.APIKey, source: source}, err
}
