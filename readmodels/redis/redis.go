// Package redis keeps read models in Redis, alone or as a cluster.
//
// Everything of a scope lies in one hash slot, so that one script commits a page: it checks fence and checkpoint,
// applies the changes and moves the checkpoint, and nobody sees a part of it (DESIGN rule 6). Redis holds nothing that
// cannot be replayed from the log; losing it loses data and checkpoint together.
package redis

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/url"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	goredis "github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"

	"rolewise/readmodels"
	"rolewise/readmodels/internal/waiting"
)

// Store is a readmodels.Store on Redis. Its connections are shared by all callers.
//
// Every error but *OutOfStepError and *FencedError is worth a repeat: the server did not answer, or not now. Only a batch
// beyond what one call takes, about 500,000 changes, never goes in; its error says so.
type Store struct {
	client   goredis.UniversalClient
	database int
	news     *goredis.PubSub
	room     waiting.Room[string]
	listener sync.WaitGroup

	connections *connections
	questions   atomic.Uint64 // number of the last one, see ask
	foreign     atomic.Int64
	pollEvery   time.Duration
	takeOver    time.Duration // age at which the token of a drop is taken over
	close       sync.Once
	closed      chan struct{}
}

// Open connects to redis://, rediss:// or unix:// (one server), or to redis-cluster://host:port,host:port (some nodes of
// a cluster; rediss-cluster:// with TLS). It refuses a server that does not answer, or that would evict read models.
func Open(ctx context.Context, address string) (*Store, error) {
	quiet.Do(func() { goredis.SetLogger(logger{}) })
	all := &connections{}
	client, database, err := connect(address, all)
	if err != nil {
		return nil, err
	}
	s := &Store{client: client, database: database, connections: all, pollEvery: defaultPoll, takeOver: defaultTakeOver,
		closed: make(chan struct{})}
	s.questions.Store(rand.Uint64()) // what mixes up connections may mix up those of several processes
	if err := s.check(ctx); err != nil {
		return nil, errors.Join(err, client.Close())
	}
	s.news = client.PSubscribe(ctx, channelPrefix(database)+"*")
	if _, err := s.news.Receive(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("subscribe to the commits in redis: %w", err), s.news.Close(), client.Close())
	}
	s.listener.Go(s.listen)
	return s, nil
}

// Client is the connections of the store, for what else is kept beside the read models.
func (s *Store) Client() goredis.UniversalClient { return s.client }

// Close ends all waits and connections.
func (s *Store) Close() error {
	var err error
	s.close.Do(func() {
		close(s.closed)
		s.room.Close()
		err = errors.Join(s.news.Close(), s.client.Close())
		s.listener.Wait()
	})
	return err
}

// quiet is done once, as the client library has one logger for all its clients.
var quiet sync.Once

// logger passes on what the client library would print to standard error. Whatever matters comes back as an error too.
type logger struct{}

func (logger) Printf(ctx context.Context, format string, args ...any) {
	slog.DebugContext(ctx, fmt.Sprintf(format, args...))
}

// connect makes the client; nothing is sent yet. Errors never show the address, which may hold a password.
func connect(address string, all *connections) (client goredis.UniversalClient, database int, err error) {
	scheme, rest, found := strings.Cut(address, "://")
	switch scheme {
	case "redis", "rediss", "unix":
	case "redis-cluster", "rediss-cluster":
		client, err = connectCluster(strings.TrimSuffix(scheme, "-cluster"), rest, all)
		return client, 0, err
	default:
		found = false
	}
	if !found {
		return nil, 0, errors.New("redis address must begin with redis://, rediss://, unix:// or redis-cluster://")
	}
	o, err := goredis.ParseURL(address)
	if err != nil {
		return nil, 0, fmt.Errorf("read the redis address: %w", withoutAddress(err))
	}
	o.ContextTimeoutEnabled = true
	o.MaintNotificationsConfig = &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}
	all.watch(o)
	return goredis.NewClient(o), o.DB, nil
}

// connectCluster reads [user:password@]host:port,host:port[?options].
func connectCluster(scheme, rest string, all *connections) (goredis.UniversalClient, error) {
	rest, query, _ := strings.Cut(rest, "?")
	user := ""
	if at := strings.LastIndex(rest, "@"); at >= 0 {
		user, rest = rest[:at+1], rest[at+1:]
	}
	nodes := strings.Split(strings.TrimSuffix(rest, "/"), ",")
	options := "?" + query
	for _, node := range nodes[1:] {
		options += "&addr=" + url.QueryEscape(node)
	}
	o, err := goredis.ParseClusterURL(scheme + "://" + user + nodes[0] + options)
	if err != nil {
		return nil, fmt.Errorf("read the redis-cluster address: %w", withoutAddress(err))
	}
	// Replicas lag: a reader that has waited for a position must not be sent to one that has not reached it.
	// A master that is gone is looked for at once, not within the minute that the client takes.
	o.ClusterStateReloadInterval = 500 * time.Millisecond
	hurry(o)
	o.ReadOnly, o.RouteByLatency, o.RouteRandomly = false, false, false
	o.ContextTimeoutEnabled = true
	o.MaintNotificationsConfig = &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}
	o.NewClient = func(o *goredis.Options) *goredis.Client {
		all.watch(o)
		return goredis.NewClient(o)
	}
	return goredis.NewClusterClient(o), nil
}

// hurry sets the timeouts that the address leaves open: a node that is gone or hangs holds up whoever asks it, and the
// look for its successor, for this long, twice when a call is repeated. Only what cannot be wanted is cut off.
func hurry(o *goredis.ClusterOptions) {
	if o.DialTimeout == 0 {
		o.DialTimeout = 500 * time.Millisecond
	}
	if o.DialerRetries == 0 {
		o.DialerRetries = 1 // the call is repeated, and then perhaps elsewhere
	}
	if o.ReadTimeout == 0 {
		o.ReadTimeout = time.Second
	}
}

// withoutAddress keeps the reason of a parse error and drops the address that url.Error repeats.
func withoutAddress(err error) error {
	var parse *url.Error
	if errors.As(err, &parse) {
		return parse.Err
	}
	return err
}

// check asks every server whether it answers and keeps what it is given.
func (s *Store) check(ctx context.Context) error {
	if cluster, ok := s.client.(*goredis.ClusterClient); ok {
		if err := cluster.Ping(ctx).Err(); err != nil {
			return fmt.Errorf("redis cluster at %s does not answer: %w", strings.Join(cluster.Options().Addrs, ", "), err)
		}
		return cluster.ForEachMaster(ctx, checkServer)
	}
	return checkServer(ctx, s.client.(*goredis.Client))
}

func checkServer(ctx context.Context, client *goredis.Client) error {
	address := client.Options().Addr
	if err := client.Ping(ctx).Err(); err != nil {
		return fmt.Errorf("redis at %s does not answer: %w", address, err)
	}
	// Hosted servers often forbid CONFIG; what cannot be asked is not held against them.
	settings, err := client.ConfigGet(ctx, "maxmemory-policy").Result()
	if policy := settings["maxmemory-policy"]; err == nil && strings.HasPrefix(policy, "allkeys-") {
		return fmt.Errorf("redis at %s has maxmemory-policy %s and would silently drop parts of the read models: set it to noeviction", address, policy)
	}
	return nil
}

// unread is explain for what was read of a scope.
func (s *Store) unread(ctx context.Context, err error, format string, args ...any) error {
	var damage *readmodels.DamagedError
	if errors.As(err, &damage) {
		return fmt.Errorf(format+": %w", append(args, err)...)
	}
	return s.explain(ctx, err, format, args...)
}

// explain says what was being done, and turns the end of the context or of the store into the errors of the port.
func (s *Store) explain(ctx context.Context, err error, format string, args ...any) error {
	if err == nil {
		return nil
	}
	select {
	case <-s.closed:
		return readmodels.ErrClosed
	default:
	}
	switch deadline, bounded := ctx.Deadline(); {
	case ctx.Err() != nil:
		err = ctx.Err()
	case bounded && errors.Is(err, os.ErrDeadlineExceeded) && !time.Now().Before(deadline):
		err = context.DeadlineExceeded // the connection's timer was faster than the context's
	}
	if ctx.Err() == nil && !errors.Is(err, context.DeadlineExceeded) {
		err = &readmodels.UnavailableError{Err: err}
	}
	return fmt.Errorf(format+": %w", append(args, err)...)
}
