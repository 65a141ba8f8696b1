package shred

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"sync"
	"time"

	_ "modernc.org/sqlite" // the driver, used through database/sql
)

// cachedKeys is how many keys are kept in memory.
const cachedKeys = 50_000

// keysID stands in the header of the file and tells it from other databases.
const keysID = 0x526b6579 // "Rkey"

// Rows of people are only ever added at the end and overwritten in place, so that no page of the file keeps an old
// copy of a key when SQLite moves things around. The index, which does move, holds no keys.
const keysSchema = `
CREATE TABLE IF NOT EXISTS people (
	id        INTEGER PRIMARY KEY,
	plan      TEXT NOT NULL,
	person    TEXT NOT NULL,
	destroyed INTEGER NOT NULL,
	key       BLOB NOT NULL -- all zero once destroyed
);
CREATE UNIQUE INDEX IF NOT EXISTS people_by_name ON people (plan, person);
CREATE TABLE IF NOT EXISTS secrets (name TEXT PRIMARY KEY, value BLOB NOT NULL);`

// Keys holds one key for each person of a plan, and the installation's secrets, in a file apart from the events.
// Whoever has only the events has no personal data. Safe for concurrent use; the file belongs to one process, unless it
// was opened as Shared.
type Keys struct {
	path string
	pool *sql.DB
	db   *sql.Conn // the only one, kept, since its pragmas are part of the promise

	shared  bool
	version int64 // of the database, as its last change by another process left it
	closed  sync.Once
	closing chan struct{}  // of a shared file: its watching ends
	watch   sync.WaitGroup // the same

	slow  sync.Mutex // around the database, and what its answers do to the cache
	mu    sync.RWMutex
	cache map[person]cipher.AEAD // nil: destroyed
}

type person struct{ plan, id string }

// Option changes how a file of keys is opened.
type Option func(*Keys)

// Shared lets several processes of one machine use the file at once. A key that one of them destroys is forgotten by the
// others within a second.
func Shared() Option { return func(k *Keys) { k.shared = true } }

// lookEvery is how often it is looked whether another process has changed a shared file.
const lookEvery = time.Second

// OpenKeys opens or creates the file of keys. A process that holds it keeps others out, unless all open it as Shared.
// Only the owner of the file may read it: a new one is made so, and permissions that an older one gives to others are
// taken away.
func OpenKeys(ctx context.Context, path string, options ...Option) (*Keys, error) {
	absolute, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("keys %s: %w", path, err)
	}
	name := &url.URL{Scheme: "file", Path: absolute}
	k := &Keys{path: path, cache: map[person]cipher.AEAD{}, closing: make(chan struct{})}
	for _, option := range options {
		option(k)
	}
	if err := createPrivate(absolute); err != nil {
		return nil, k.explain(err)
	}
	if k.pool, err = sql.Open("sqlite", name.String()); err != nil {
		return nil, k.explain(err)
	}
	if k.db, err = k.pool.Conn(ctx); err != nil {
		return nil, errors.Join(k.explain(err), k.pool.Close())
	}
	// An interrupted statement could cost the connection: none is interrupted, all are short.
	if err := k.prepare(context.WithoutCancel(ctx)); err != nil {
		return nil, errors.Join(k.explain(err), k.db.Close(), k.pool.Close())
	}
	if k.shared {
		k.watch.Go(k.look)
	}
	return k, nil
}

// look forgets the keys in memory whenever another process has changed the file.
func (k *Keys) look() {
	ticker := time.NewTicker(lookEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
		case <-k.closing:
			return
		}
		k.slow.Lock()
		var version int64
		err := k.db.QueryRowContext(context.Background(), "PRAGMA data_version").Scan(&version)
		if err != nil || version != k.version {
			k.version = version
			k.mu.Lock()
			clear(k.cache)
			k.mu.Unlock()
		}
		k.slow.Unlock()
	}
}

// begin takes the database for the caller, who releases k.slow, unless the context has ended.
func (k *Keys) begin(ctx context.Context) (context.Context, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	k.slow.Lock()
	return context.WithoutCancel(ctx), nil
}

// explain adds what an operator can do about trouble with the file.
func (k *Keys) explain(err error) error {
	var coded interface{ Code() int }
	if !errors.As(err, &coded) {
		return fmt.Errorf("keys %s: %w", k.path, err)
	}
	advice := map[int]string{
		5:  "is in use by another process: stop that one first",
		8:  "cannot be written: check the permissions of the file and its folder",
		10: "cannot be read or written: check the disk",
		11: "is damaged: restore a backup",
		13: "cannot grow: free some space on the disk",
		14: "cannot be opened: check that its folder exists and is permitted",
		26: "is not a database: choose another path or restore a backup",
	}[coded.Code()&0xff]
	if advice == "" {
		advice = "is in trouble"
	}
	return fmt.Errorf("keys file %s %s (%w)", k.path, advice, err)
}

func (k *Keys) prepare(ctx context.Context) error {
	var id, tables int
	if err := k.db.QueryRowContext(ctx, "PRAGMA application_id").Scan(&id); err != nil {
		return err
	}
	if err := k.db.QueryRowContext(ctx, "SELECT count(*) FROM sqlite_schema").Scan(&tables); err != nil {
		return err
	}
	if tables > 0 && id != keysID {
		return errors.New("it is the database of something else: choose another path")
	}
	if err := makePrivate(k.path); err != nil {
		return err
	}
	locking := "exclusive"
	if k.shared {
		locking = "normal"
	}
	for _, pragma := range []struct{ name, set, want string }{
		{"busy_timeout", "5000", "5000"},
		{"locking_mode", locking, locking},
		{"journal_mode", "wal", "wal"},
		{"synchronous", "full", "2"},
		{"secure_delete", "on", "1"}, // what is overwritten is zeroed first
	} {
		if _, err := k.db.ExecContext(ctx, "PRAGMA "+pragma.name+" = "+pragma.set); err != nil {
			return err
		}
		got := ""
		if err := k.db.QueryRowContext(ctx, "PRAGMA "+pragma.name).Scan(&got); err != nil {
			return err
		}
		if got != pragma.want {
			return fmt.Errorf("%s is %q where %q is needed", pragma.name, got, pragma.want)
		}
	}
	if tables == 0 {
		script := fmt.Sprintf("BEGIN IMMEDIATE; %s PRAGMA application_id = %d; COMMIT", keysSchema, keysID)
		if _, err := k.db.ExecContext(ctx, script); err != nil {
			return err
		}
	}
	return k.settle(ctx) // a crash may have kept an old key in the write-ahead log
}

// settle moves the write-ahead log into the file and empties it, and with it the pages of the past.
func (k *Keys) settle(ctx context.Context) error {
	var busy, pages, moved int
	err := k.db.QueryRowContext(ctx, "PRAGMA wal_checkpoint(TRUNCATE)").Scan(&busy, &pages, &moved)
	if err == nil && busy != 0 {
		err = errors.New("the write-ahead log could not be emptied")
	}
	return err
}

// Close releases the file. Keys already in memory are dropped.
func (k *Keys) Close() error {
	k.closed.Do(func() { close(k.closing) })
	k.watch.Wait()
	k.slow.Lock()
	defer k.slow.Unlock()
	k.mu.Lock()
	clear(k.cache)
	k.mu.Unlock()
	return errors.Join(k.db.Close(), k.pool.Close())
}

// Destroy makes everything that was encrypted for a person unreadable for ever, here and in every copy of the events.
// The person never gets a key again. When it returns without an error the key is gone from the file.
func (k *Keys) Destroy(ctx context.Context, plan, id string) error {
	ctx, err := k.begin(ctx)
	if err != nil {
		return err
	}
	defer k.slow.Unlock()
	// Of the same size as before, so that the row stays where it is and the key is overwritten in place.
	_, err = k.db.ExecContext(ctx, `INSERT INTO people (plan, person, destroyed, key) VALUES (?, ?, 1, zeroblob(32))
		ON CONFLICT (plan, person) DO UPDATE SET destroyed = 1, key = zeroblob(32)`, plan, id)
	if err != nil {
		return fmt.Errorf("destroy a key: %w", k.explain(err))
	}
	k.remember(person{plan, id}, nil)
	if err := k.settle(ctx); err != nil {
		return fmt.Errorf("destroy a key: %w", k.explain(err))
	}
	return nil
}

// Secret returns the installation's secret of a name: 32 random bytes, the same for ever.
func (k *Keys) Secret(ctx context.Context, name string) ([]byte, error) {
	ctx, err := k.begin(ctx)
	if err != nil {
		return nil, err
	}
	defer k.slow.Unlock()
	_, err = k.db.ExecContext(ctx, "INSERT INTO secrets (name, value) VALUES (?, ?) ON CONFLICT DO NOTHING", name, random())
	if err != nil {
		return nil, fmt.Errorf("make secret %s: %w", name, k.explain(err))
	}
	var value []byte
	if err := k.db.QueryRowContext(ctx, "SELECT value FROM secrets WHERE name = ?", name).Scan(&value); err != nil {
		return nil, fmt.Errorf("read secret %s: %w", name, k.explain(err))
	}
	return value, nil
}

// Belong ties the keys to one event store by its ID, at the first call, and refuses any other afterwards: events of
// another installation would be read without their personal data, and written so that nobody can ever read it.
func (k *Keys) Belong(ctx context.Context, store string) error {
	ctx, err := k.begin(ctx)
	if err != nil {
		return err
	}
	defer k.slow.Unlock()
	_, err = k.db.ExecContext(ctx, "INSERT INTO secrets (name, value) VALUES ('store', ?) ON CONFLICT DO NOTHING", []byte(store))
	if err != nil {
		return fmt.Errorf("note the event store: %w", k.explain(err))
	}
	var known []byte
	if err := k.db.QueryRowContext(ctx, "SELECT value FROM secrets WHERE name = 'store'").Scan(&known); err != nil {
		return fmt.Errorf("read the event store: %w", k.explain(err))
	}
	if string(known) != store {
		return fmt.Errorf("keys file %s belongs to another installation than the event store (store %s, not %s): put the two back together that belong together", k.path, known, store)
	}
	return nil
}

// find returns a person's key, nil if there is none or it was destroyed.
func (k *Keys) find(ctx context.Context, plan, id string) (cipher.AEAD, error) {
	who := person{plan, id}
	if key, known := k.recall(who); known {
		return key, nil
	}
	ctx, err := k.begin(ctx)
	if err != nil {
		return nil, err
	}
	defer k.slow.Unlock()
	return k.load(ctx, who)
}

// provide returns a person's key, a new and durable one if there was none; nil if it was destroyed.
func (k *Keys) provide(ctx context.Context, plan, id string) (cipher.AEAD, error) {
	who := person{plan, id}
	if key, known := k.recall(who); known {
		return key, nil
	}
	ctx, err := k.begin(ctx)
	if err != nil {
		return nil, err
	}
	defer k.slow.Unlock()
	if key, err := k.load(ctx, who); key != nil || err != nil {
		return key, err
	}
	_, err = k.db.ExecContext(ctx,
		"INSERT INTO people (plan, person, destroyed, key) VALUES (?, ?, 0, ?) ON CONFLICT DO NOTHING", plan, id, random())
	if err != nil {
		return nil, fmt.Errorf("make a key: %w", k.explain(err))
	}
	return k.load(ctx, who)
}

// load reads a key into the cache. The caller holds k.slow.
func (k *Keys) load(ctx context.Context, who person) (cipher.AEAD, error) {
	var destroyed bool
	var bytes []byte
	err := k.db.QueryRowContext(ctx, "SELECT destroyed, key FROM people WHERE plan = ? AND person = ?", who.plan, who.id).
		Scan(&destroyed, &bytes)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("read a key: %w", k.explain(err))
	case destroyed:
		k.remember(who, nil)
		return nil, nil
	}
	defer clear(bytes)
	block, err := aes.NewCipher(bytes)
	if err != nil {
		return nil, fmt.Errorf("read a key: %w", err)
	}
	key, err := cipher.NewGCM(block)
	if err != nil {
		return nil, fmt.Errorf("read a key: %w", err)
	}
	k.remember(who, key)
	return key, nil
}

func (k *Keys) recall(who person) (key cipher.AEAD, known bool) {
	k.mu.RLock()
	defer k.mu.RUnlock()
	key, known = k.cache[who]
	return key, known
}

func (k *Keys) remember(who person, key cipher.AEAD) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if len(k.cache) >= cachedKeys {
		clear(k.cache)
	}
	k.cache[who] = key
}

func random() []byte {
	b := make([]byte, 32)
	_, _ = rand.Read(b) // never fails
	return b
}
