package redis_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"rolewise/eventstore"
	"rolewise/internal/redistest"
	"rolewise/readmodels"
	"rolewise/readmodels/redis"
)

// belonging is what one reader reads. Every value in it says whose it is.
type belonging struct {
	scope  readmodels.Scope
	keys   []readmodels.Key // the last one has no document
	index  readmodels.Index
	broken bool // the index is none
}

func (b belonging) document(key readmodels.Key) string {
	return strings.Repeat(fmt.Sprintf("%s %v ", b.scope, key), 3)
}

func (b belonging) entry(n int) string { return fmt.Sprintf("%s %s %03d", b.scope, b.index.Name, n) }

const entriesOfEach = 12

// belongings writes what so many readers read.
func belongings(t *testing.T, readers int) (all []belonging) {
	t.Helper()
	store, harm := open(t, server.URL), raw(t, server.URL)
	for n := range readers {
		b := belonging{
			scope:  readmodels.Scope{Projection: t.Name(), Version: 1, Partition: n / 4},
			index:  readmodels.Index{Plan: "acme", Name: fmt.Sprintf("i%d", n)},
			broken: n == 0,
		}
		at, err := store.Checkpoint(t.Context(), b.scope)
		if err != nil {
			t.Fatal(err)
		}
		page := batch(b.scope, at.Position, eventstore.Position(1+n))
		page.Checkpoint.StoreID = b.scope.String()
		for id := range 3 {
			key := readmodels.Key{Plan: "acme", Collection: fmt.Sprintf("c%d", n), ID: fmt.Sprint(id)}
			b.keys = append(b.keys, key)
			if id < 2 {
				page.Put[key] = []byte(b.document(key))
			}
		}
		for i := range entriesOfEach {
			page.Add = append(page.Add, readmodels.Entry{Index: b.index, Value: b.entry(i)})
		}
		commit(t, store, page)
		if b.broken {
			if err := harm.Set(t.Context(), redis.IndexKey(b.scope, b.index), "no index", 0).Err(); err != nil {
				t.Fatal(err)
			}
		}
		all = append(all, b)
	}
	return all
}

// read reads once and says what is wrong with the answer. No answer is no wrong answer.
func (b belonging) read(ctx context.Context, r readmodels.Reader) (wrong string, err error) {
	switch rand.IntN(4) {
	case 0:
		at, err := r.Checkpoint(ctx, b.scope)
		if err == nil && at.StoreID != b.scope.String() {
			wrong = fmt.Sprintf("the checkpoint of %s is that of %q", b.scope, at.StoreID)
		}
		return wrong, err
	case 1:
		entries, err := r.Entries(ctx, b.scope, b.index, readmodels.Range{})
		var damage *readmodels.DamagedError
		switch {
		case errors.As(err, &damage) != b.broken && (err == nil || damage != nil):
			return fmt.Sprintf("%s of %s: %v, broken %v", b.index.Name, b.scope, err, b.broken), nil
		case err != nil:
			return "", err
		case len(entries) != entriesOfEach || entries[0] != b.entry(0) || entries[entriesOfEach-1] != b.entry(entriesOfEach-1):
			return fmt.Sprintf("%s of %s has %q", b.index.Name, b.scope, entries), nil
		}
		return "", nil
	}
	from := rand.IntN(len(b.keys))
	values, err := r.Get(ctx, b.scope, b.keys[from:]...)
	var damage *readmodels.DamagedError
	if errors.As(err, &damage) {
		return err.Error(), nil
	}
	if err != nil {
		return "", err
	}
	for i, key := range b.keys[from:] {
		if want := b.document(key); from+i < 2 && string(values[i]) != want || from+i == 2 && values[i] != nil {
			return fmt.Sprintf("%v of %s is %q", key, b.scope, values[i]), nil
		}
	}
	return "", nil
}

// storm reads so many times, and gives up some of the reads at random moments.
type storm struct{ asked, answered, failed, wrong atomic.Int64 }

func (s *storm) run(t *testing.T, all []belonging, r readmodels.Reader, reads int64) (wrong string) {
	t.Helper()
	var first sync.Once
	var readers sync.WaitGroup
	for _, b := range all {
		readers.Go(func() {
			for s.asked.Add(1) <= reads {
				ctx, cancel := context.WithTimeout(t.Context(), patience)
				switch rand.IntN(4) {
				case 0:
					cancel()
					ctx, cancel = context.WithTimeout(t.Context(), rand.N(8*time.Millisecond))
				case 1:
					time.AfterFunc(rand.N(8*time.Millisecond), cancel)
				}
				said, err := b.read(ctx, r)
				cancel()
				switch {
				case said != "":
					s.wrong.Add(1)
					first.Do(func() { wrong = said })
				case err == nil:
					s.answered.Add(1)
				case ctx.Err() == nil:
					s.failed.Add(1)
				}
			}
		})
	}
	readers.Wait()
	t.Logf("%d reads: %d answered, %d failed, %d answered wrongly; the others were given up", reads, s.answered.Load(), s.failed.Load(), s.wrong.Load())
	return wrong
}

// slow returns the URL of the server past a proxy that is slow and cuts answers into pieces.
func slow(t *testing.T) string {
	t.Helper()
	return redistest.StartSlicer(t, server, 400, 2*time.Millisecond) + "?pool_size=24"
}

func torture(short, long int64) int64 {
	if os.Getenv("ROLEWISE_TORTURE") != "" {
		return long
	}
	return short
}

// TestAnswersBelongToTheirQuestions reads on connections that are slow, and gives up at random: no answer is that to
// another question. Then on connections that the client mixes up: the store finds it, where others take what comes.
func TestAnswersBelongToTheirQuestions(t *testing.T) {
	before := slog.Default()
	slog.SetDefault(slog.New(slog.DiscardHandler)) // each of them is logged
	t.Cleanup(func() { slog.SetDefault(before) })
	all := belongings(t, 32)
	t.Run("a client that is right", func(t *testing.T) {
		s, store := storm{}, open(t, slow(t))
		if wrong := s.run(t, all, store, torture(20_000, 5_000_000)); wrong != "" {
			t.Error(wrong)
		}
		if n := store.ForeignAnswers(); n != 0 || s.failed.Load() != 0 || s.answered.Load() == 0 {
			t.Errorf("%d answers to other questions, %d reads failed, %d were answered", n, s.failed.Load(), s.answered.Load())
		}
	})
	t.Run("a client that mixes up connections", func(t *testing.T) {
		s, store := storm{}, open(t, slow(t))
		store.Client().AddHook(hasty{})
		if wrong := s.run(t, all, store, torture(4_000, 100_000)); wrong != "" {
			t.Error(wrong)
		}
		t.Logf("%d answers to other questions", store.ForeignAnswers())
		if store.ForeignAnswers() == 0 || s.answered.Load() == 0 {
			t.Error("nothing was mixed up, or nothing answered")
		}
	})
	t.Run("such a client, and nobody looks", func(t *testing.T) {
		o, err := goredis.ParseURL(slow(t))
		if err != nil {
			t.Fatal(err)
		}
		o.ContextTimeoutEnabled = true
		client := goredis.NewClient(o)
		defer client.Close()
		client.AddHook(hasty{})
		var s storm
		s.run(t, all, trusting{client}, 4_000)
		if s.wrong.Load() == 0 {
			t.Error("nothing was mixed up")
		}
	})
}

// hasty makes connections that answer "nothing" when time is up, and stay in use with the true answer unread.
type hasty struct{}

func (hasty) ProcessHook(next goredis.ProcessHook) goredis.ProcessHook { return next }
func (hasty) ProcessPipelineHook(next goredis.ProcessPipelineHook) goredis.ProcessPipelineHook {
	return next
}
func (hasty) DialHook(next goredis.DialHook) goredis.DialHook {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		c, err := next(ctx, network, address)
		if err != nil {
			return nil, err
		}
		return &hastyConnection{Conn: c}, nil
	}
}

type hastyConnection struct {
	net.Conn
	begun bool // to read an answer
}

func (c *hastyConnection) Write(p []byte) (int, error) {
	c.begun = false
	return c.Conn.Write(p)
}

func (c *hastyConnection) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	var late net.Error
	if errors.As(err, &late) && late.Timeout() && !c.begun && n == 0 {
		return copy(p, "$-1\r\n"), nil
	}
	c.begun = c.begun || n > 0
	return n, err
}

// trusting reads what the store has written, and takes any answer for its own.
type trusting struct{ *goredis.Client }

func (c trusting) Get(ctx context.Context, scope readmodels.Scope, keys ...readmodels.Key) ([][]byte, error) {
	var ids []string
	for _, key := range keys {
		ids = append(ids, key.ID)
	}
	all, err := c.HMGet(ctx, redis.DocumentsKey(scope, keys[0].Plan, keys[0].Collection), ids...).Result()
	if err == nil && len(all) != len(keys) {
		err = io.ErrUnexpectedEOF
	}
	values := make([][]byte, len(keys))
	for i := range all[:min(len(all), len(keys))] {
		if text, ok := all[i].(string); ok && len(text) > 4 {
			values[i] = []byte(text[4:])
		}
	}
	return values, err
}

func (c trusting) Entries(ctx context.Context, scope readmodels.Scope, index readmodels.Index, _ readmodels.Range) ([]string, error) {
	entries, err := c.ZRangeByLex(ctx, redis.IndexKey(scope, index), &goredis.ZRangeBy{Min: "-", Max: "+"}).Result()
	if err != nil && goredis.HasErrorPrefix(err, "WRONGTYPE") {
		err = &readmodels.DamagedError{Scope: scope, Err: err}
	}
	return entries, err
}

func (c trusting) Checkpoint(ctx context.Context, scope readmodels.Scope) (readmodels.Checkpoint, error) {
	store, err := c.HGet(ctx, redis.CheckpointKey(scope), "store").Result()
	return readmodels.Checkpoint{StoreID: store}, err
}

// TestDocumentOfAnotherOwner finds documents where others belong.
func TestDocumentOfAnotherOwner(t *testing.T) {
	store, harm := open(t, server.URL), raw(t, server.URL)
	scope := readmodels.Scope{Projection: t.Name(), Version: 1}
	mine := readmodels.Key{Plan: "acme", Collection: "c", ID: "1"}
	page := batch(scope, 0, 1)
	page.Put[mine] = []byte("mine")
	commit(t, store, page)
	at := redis.DocumentsKey(scope, mine.Plan, mine.Collection)
	stored := harm.HGet(t.Context(), at, mine.ID).Val()
	if !strings.HasSuffix(stored, "mine") || len(stored) != len("mine")+4 {
		t.Fatalf("stored is %q", stored)
	}
	for name, c := range map[string]struct {
		scope readmodels.Scope
		key   readmodels.Key
		value string
	}{
		"another document": {scope, readmodels.Key{Plan: "acme", Collection: "c", ID: "2"}, stored},
		"another kind":     {scope, readmodels.Key{Plan: "acme", Collection: "d", ID: "1"}, stored},
		"another plan":     {scope, readmodels.Key{Plan: "globex", Collection: "c", ID: "1"}, stored},
		"another scope":    {scope.In(1), mine, stored},
		"names run over":   {scope, readmodels.Key{Plan: "acme", Collection: "c1", ID: ""}, stored},
		"without an owner": {scope, readmodels.Key{Plan: "initech", Collection: "c", ID: "1"}, "min"},
	} {
		t.Run(name, func(t *testing.T) {
			place := redis.DocumentsKey(c.scope, c.key.Plan, c.key.Collection)
			if err := harm.HSet(t.Context(), place, c.key.ID, c.value).Err(); err != nil {
				t.Fatal(err)
			}
			defer harm.HDel(context.Background(), place, c.key.ID)
			var damage *readmodels.DamagedError
			if values, err := store.Get(t.Context(), c.scope, c.key); !errors.As(err, &damage) || damage.Scope != c.scope {
				t.Errorf("read %q and %v", values, err)
			}
			if err := store.Dump(t.Context(), c.scope, func(string) error { return nil }); !errors.As(err, &damage) {
				t.Errorf("dumped with %v", err)
			}
			if values, err := store.Get(t.Context(), scope, mine); err != nil || string(values[0]) != "mine" {
				t.Errorf("the other has become %q and %v", values, err)
			}
		})
	}
}

// TestConnectionsAreMadeAnew trusts no connection any more after an answer that was not its own.
func TestConnectionsAreMadeAnew(t *testing.T) {
	for name, url := range map[string]string{"one server": server.URL, "a cluster": redistest.StartCluster(t, 1)} {
		t.Run(name, func(t *testing.T) {
			store, scope := open(t, url), readmodels.Scope{Projection: t.Name(), Version: 1}
			id := func() int64 {
				t.Helper()
				n, err := store.Client().ClientID(t.Context()).Result()
				if err != nil {
					t.Fatal(err)
				}
				return n
			}
			if _, err := store.Checkpoint(t.Context(), scope); err != nil || store.ForeignAnswers() != 0 {
				t.Fatalf("%v, %d answers to other questions", err, store.ForeignAnswers())
			}
			before := id()
			if again := id(); again != before {
				t.Fatalf("connection %d, then %d: nothing can be seen here", before, again)
			}
			once := &swapped{most: 1}
			store.Client().AddHook(once)
			if at, err := store.Checkpoint(t.Context(), scope); err != nil || at.Position != 0 || store.ForeignAnswers() != 1 {
				t.Fatalf("%+v, %v, %d answers to other questions", at, err, store.ForeignAnswers())
			}
			if after := id(); after == before {
				t.Error("the connection is still in use")
			}
			result := waiting(t.Context(), t, store, scope, 1)
			commit(t, open(t, url), batch(scope, 0, 1)) // is heard of on a connection that is new too
			if err := ended(t, result); err != nil {
				t.Error(err)
			}
		})
	}
}

// swapped gives questions of a store the answer to another, as often as it may.
type swapped struct {
	hasty
	most, done int
}

func (*swapped) DialHook(next goredis.DialHook) goredis.DialHook { return next }
func (s *swapped) ProcessHook(next goredis.ProcessHook) goredis.ProcessHook {
	return func(ctx context.Context, command goredis.Cmder) error {
		err := next(ctx, command)
		if answer, ok := command.(*goredis.Cmd); ok && err == nil && s.done < s.most {
			s.done++
			answer.SetVal([]any{"another", []any{"1", nil, nil, nil}})
		}
		return err
	}
}

// TestNothingButForeignAnswers gives up in the end, without taking the read model for damaged.
func TestNothingButForeignAnswers(t *testing.T) {
	store, scope := open(t, server.URL), readmodels.Scope{Projection: t.Name(), Version: 1}
	store.Client().AddHook(&swapped{most: 1 << 30})
	var foreign *redis.ForeignAnswerError
	var again *readmodels.UnavailableError
	for name, read := range map[string]func() error{
		"checkpoint": func() error { _, err := store.Checkpoint(t.Context(), scope); return err },
		"documents": func() error {
			_, err := store.Get(t.Context(), scope, readmodels.Key{Plan: "acme", Collection: "c", ID: "1"})
			return err
		},
		"entries": func() error {
			_, err := store.Entries(t.Context(), scope, readmodels.Index{Plan: "acme", Name: "i"}, readmodels.Range{})
			return err
		},
		"partitions": func() error { _, err := store.Partitions(t.Context(), 4); return err },
		"records":    func() error { _, err := store.Records(t.Context()); return err },
		"dump":       func() error { return store.Dump(t.Context(), scope, func(string) error { return nil }) },
	} {
		before := store.ForeignAnswers()
		if err := read(); !errors.As(err, &foreign) || !errors.As(err, &again) {
			t.Errorf("%s: %v", name, err)
		}
		if n := store.ForeignAnswers() - before; n != 4 {
			t.Errorf("%s was asked %d times", name, n)
		}
	}
}
