package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"rolewise/domain/events"
	"rolewise/eventstore"
	"rolewise/eventstore/kurrent"
	"rolewise/eventstore/replica"
	"rolewise/eventstore/shred"
	"rolewise/eventstore/sqlite"
	"rolewise/leases"
	"rolewise/leases/redisleases"
	"rolewise/readmodels"
	"rolewise/readmodels/memory"
	"rolewise/readmodels/redis"
)

// eventLog is the event store with the keys of personal data beside it.
type eventLog struct {
	eventstore.Store
	source   eventstore.Store // the log as it is, personal data encrypted
	audit    eventstore.Store // the same log, indexed by plan: the store itself, or the local copy of one that has no such index
	copy     *sqlite.Replica  // nil: there is no need of one
	keys     *shred.Keys
	emailKey []byte
}

// logOptions say where a log is and what stands beside it.
type logOptions struct {
	url     string // sqlite:PATH, or the connection string of a KurrentDB
	data    string // directory of keys.db, the keys of personal data; empty: that of PATH
	replica string // file of the local copy of a log in KurrentDB; empty: no copy is kept
}

// openLog opens the event store that a URL names.
func openLog(ctx context.Context, o logOptions) (l *eventLog, err error) {
	data, err := dataDirectory(o.url, o.data)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(data, 0o700); err != nil {
		return nil, fmt.Errorf("make the data directory: %w", err)
	}
	l = &eventLog{}
	defer func() {
		if err != nil {
			err = errors.Join(err, l.Close())
		}
	}()
	if err := l.open(ctx, o); err != nil {
		return l, err
	}
	var shared []shred.Option
	if !strings.HasPrefix(o.url, sqliteScheme) { // the log is open to several processes, and so must its keys be
		shared = append(shared, shred.Shared())
	}
	if l.keys, err = shred.OpenKeys(ctx, filepath.Join(data, "keys.db"), shared...); err != nil {
		return l, err
	}
	info, err := l.Info(ctx)
	if err == nil {
		err = l.keys.Belong(ctx, info.ID)
	}
	if err != nil {
		return l, err
	}
	if l.emailKey, err = l.keys.Secret(ctx, "email"); err != nil {
		return l, err
	}
	fields := personalFields()
	l.source = l.Store
	l.Store = shred.New(l.source, l.keys, fields)
	l.audit = l.Store
	if l.copy != nil {
		l.audit = shred.New(replica.Reader{Store: l.source, Copy: l.copy}, l.keys, fields)
	}
	return l, nil
}

// open opens the log itself.
func (l *eventLog) open(ctx context.Context, o logOptions) error {
	if path, ok := strings.CutPrefix(o.url, sqliteScheme); ok {
		store, err := sqlite.Open(ctx, path)
		if err != nil {
			return err
		}
		l.Store = store
		return nil
	}
	store, err := kurrent.Open(ctx, o.url)
	if err != nil {
		return err
	}
	l.Store = store
	if o.replica == "" {
		return nil
	}
	info, err := store.Info(ctx)
	if err == nil {
		l.copy, err = sqlite.OpenReplica(ctx, o.replica, info)
	}
	return err
}

const sqliteScheme = "sqlite:"

// dataDirectory returns where the files of an installation stand that are not its log.
func dataDirectory(url, data string) (string, error) {
	kind, rest, _ := strings.Cut(url, ":")
	switch {
	case kind == "sqlite" && rest != "":
		if data == "" {
			data = filepath.Dir(rest)
		}
	case !slices.Contains(kurrentSchemes, kind):
		return "", fmt.Errorf("--eventstore%s is not understood; use sqlite:PATH, or esdb://… or kurrentdb://… for a KurrentDB", redact(url))
	case data == "":
		return "", errors.New("--data is missing: with a KurrentDB the keys of personal data, the operator's key and the local copy of the log need a directory")
	}
	return data, nil
}

// kurrentSchemes are what the connection string of a KurrentDB can begin with.
var kurrentSchemes = []string{"esdb", "esdb+discover", "kurrentdb", "kurrentdb+discover"}

// scheme is what a URL begins with. Anything else before a colon may be a name or a password.
var scheme = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9+.-]{0,19}://`)

// redact returns what a message may show of the URL of an event store, after a space: its scheme, or nothing at all.
// A password can stand anywhere in the rest.
func redact(url string) string {
	if known := scheme.FindString(url); known != "" {
		return " " + known + "…"
	}
	return ""
}

// embedded tells whether no other process can have the log open.
func (l *eventLog) embedded() bool {
	_, embedded := l.source.(*sqlite.Store)
	return embedded
}

// follow keeps the local copy of the log, if there is one, until the context ends.
func (l *eventLog) follow(ctx context.Context, logger *slog.Logger) error {
	if l.copy == nil {
		return nil
	}
	if err := replica.Run(ctx, l.source, l.copy, logger); ctx.Err() == nil {
		return err
	}
	return nil
}

// Close closes the event store, then its copy and its keys.
func (l *eventLog) Close() (err error) {
	if l.Store != nil {
		err = l.Store.Close()
	}
	if l.copy != nil {
		err = errors.Join(err, l.copy.Close())
	}
	if l.keys != nil {
		err = errors.Join(err, l.keys.Close())
	}
	return err
}

// personalFields tells the encrypting store what the tags of the event types say.
func personalFields() shred.Fields {
	fields := shred.Fields{}
	for eventType, personal := range events.All.PersonalFields() {
		for _, p := range personal {
			fields[eventType] = append(fields[eventType], shred.Field{Path: p.Field, Subject: p.Subject})
		}
	}
	return fields
}

// openModels opens the store of read models: "memory", or a Redis by its URL.
func openModels(ctx context.Context, url string) (readmodels.Store, error) {
	if url == "memory" {
		return memory.New(), nil
	}
	return redis.Open(ctx, url)
}

// usualPartitions is enough for some ten processes that project, and few enough that a copy of the catalog in each is no
// burden.
const usualPartitions = 8

// partitions returns over how many partitions read models are spread. Where there are some, their number is theirs: to
// ask for another one is an error (SPEC OPS-4).
func partitions(ctx context.Context, models readmodels.Store, wanted readmodels.Partitions) (readmodels.Partitions, error) {
	asked := wanted
	_, embedded := models.(*memory.Store)
	switch {
	case asked == 0 && embedded:
		asked = 1
	case asked == 0:
		asked = usualPartitions
	}
	n, err := models.Partitions(ctx, asked)
	if err == nil && wanted != 0 && n != wanted {
		err = fmt.Errorf("the read models have %d partitions, not %d: leave out --partitions, or use another Redis database", n, wanted)
	}
	return n, err
}

// keeper shares the partitions with the other processes that project the same log into the same Redis. Where
// this one alone has the log open there can be none, and it need not wait for the leases of one that died.
func keeper(log *eventLog, models readmodels.Store, logger *slog.Logger) (leases.Keeper, error) {
	shared, ok := models.(*redis.Store)
	if log.embedded() || !ok {
		return leases.Alone(), nil
	}
	return redisleases.New(redisleases.Options{Client: shared.Client(), Group: "projections", Log: logger})
}
