package redisleases_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"rolewise/leases/redisleases"
)

// ledger stands for the store that the holders of partitions write to, and watches over what is promised to it.
type ledger struct {
	t       *testing.T
	mutex   sync.Mutex
	changed chan struct{} // closed and replaced with each change
	highest map[int]uint64
	holders map[int]map[string]holder // by partition and process
	causes  []error                   // for which holds have ended
	refused int
	lossy   bool // Redis loses data, and then two may hold a partition for a while
}

type holder struct {
	context.Context
	fence uint64
}

func newLedger(t *testing.T) *ledger {
	return &ledger{t: t, changed: make(chan struct{}), highest: map[int]uint64{}, holders: map[int]map[string]holder{}}
}

func (l *ledger) change() {
	close(l.changed)
	l.changed = make(chan struct{})
}

// begin notes a hold. Its fence must be higher than any before, and nobody else may think to have the lease.
func (l *ledger) begin(ctx context.Context, process string, partition int, fence uint64) {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	if fence <= l.highest[partition] {
		l.t.Errorf("%s got partition %d with the fence %d after %d", process, partition, fence, l.highest[partition])
	}
	l.highest[partition] = fence
	if l.holders[partition] == nil {
		l.holders[partition] = map[string]holder{}
	}
	for other, held := range l.holders[partition] {
		if !l.lossy && held.Err() == nil {
			l.t.Errorf("%s and %s hold partition %d at the same time", process, other, partition)
		}
	}
	if _, twice := l.holders[partition][process]; twice {
		l.t.Errorf("%s holds partition %d twice", process, partition)
	}
	l.holders[partition][process] = holder{ctx, fence}
	l.change()
}

func (l *ledger) end(process string, partition int, cause error) {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	delete(l.holders[partition], process)
	l.causes = append(l.causes, cause)
	l.change()
}

// write is refused for holders that are fenced off.
func (l *ledger) write(partition int, fence uint64) bool {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	if fence < l.highest[partition] {
		l.refused++
		return false
	}
	return true
}

// await waits until what is held is as it should be. It is told who has the lease of each partition.
func (l *ledger) await(what string, within time.Duration, good func(holders map[int]string) bool) {
	l.t.Helper()
	deadline := time.After(within)
	for {
		l.mutex.Lock()
		now, changed := l.writers(), l.changed
		l.mutex.Unlock()
		if good(now) {
			return
		}
		select {
		case <-changed:
		case <-time.After(50 * time.Millisecond): // leases also end without a word
		case <-deadline:
			l.t.Fatalf("%s: not within %s: %v", what, within, now)
		}
	}
}

func (l *ledger) writers() map[int]string {
	now := map[int]string{}
	for partition, holders := range l.holders {
		for process, held := range holders {
			if held.fence == l.highest[partition] && held.Err() == nil {
				now[partition] = process
			}
		}
	}
	return now
}

// balanced tells whether every partition is held and the processes named share them evenly.
func balanced(partitions int, processes ...string) func(map[int]string) bool {
	return func(holders map[int]string) bool {
		count := map[string]int{}
		for _, process := range holders {
			count[process]++
		}
		for _, process := range processes {
			if n := count[process]; n < partitions/len(processes) || n > (partitions+len(processes)-1)/len(processes) {
				return false
			}
		}
		return len(holders) == partitions
	}
}

// process is a keeper that runs.
type process struct {
	*redisleases.Keeper
	stop  context.CancelFunc
	ended chan error
}

// leave ends a process as a deployment does.
func (p *process) leave(t *testing.T) {
	t.Helper()
	p.stop()
	select {
	case err := <-p.ended:
		if err != context.Canceled {
			t.Errorf("a keeper ended with %v", err)
		}
		p.ended <- err
	case <-time.After(patience):
		t.Fatal("a keeper did not end")
	}
}

// join starts a process that holds partitions until they end.
func (l *ledger) join(name string, partitions int, o redisleases.Options) *process {
	return l.joinTo(name, partitions, o, func(ctx context.Context, _ int, _ uint64) { <-ctx.Done() })
}

// joinTo starts a process that does more with its partitions.
func (l *ledger) joinTo(name string, partitions int, o redisleases.Options, work func(context.Context, int, uint64)) *process {
	l.t.Helper()
	keeper, err := redisleases.New(o)
	if err != nil {
		l.t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	p := &process{Keeper: keeper, stop: stop, ended: make(chan error, 1)}
	go func() {
		p.ended <- keeper.Run(ctx, partitions, func(ctx context.Context, partition int, fence uint64) {
			if ctx.Err() != nil {
				return // was over before it began
			}
			l.begin(ctx, name, partition, fence)
			work(ctx, partition, fence)
			l.end(name, partition, context.Cause(ctx))
		})
	}()
	l.t.Cleanup(func() {
		p.leave(l.t)
		if s := keeper.Stats(); s.Held != 0 || s.Taken != s.Lost+s.GivenAway+s.Returned {
			l.t.Errorf("%s ended with %+v", name, s)
		}
	})
	return p
}

// sharedLedger is a ledger for several processes, in Redis.
type sharedLedger struct {
	client goredis.UniversalClient
	key    string
	name   string
}

// writeOnce counts writes by process, and those that were refused. It errs if two have the same fence.
var writeOnce = goredis.NewScript(`
local highest, owner = unpack(redis.call('HMGET', KEYS[1], 'fence ' .. ARGV[1], 'owner ' .. ARGV[1]))
local fence = tonumber(ARGV[2])
if highest and fence < tonumber(highest) then
  redis.call('HINCRBY', KEYS[1], 'refused ' .. ARGV[3], 1)
  return 0
end
if highest and fence == tonumber(highest) and owner ~= ARGV[3] then
  redis.call('HINCRBY', KEYS[1], 'clash', 1)
end
redis.call('HSET', KEYS[1], 'fence ' .. ARGV[1], ARGV[2], 'owner ' .. ARGV[1], ARGV[3])
redis.call('HINCRBY', KEYS[1], 'written ' .. ARGV[3], 1)
return 1`)

// work writes for a partition until its lease is over.
func (s sharedLedger) work(ctx context.Context, partition int, fence uint64) {
	for ctx.Err() == nil {
		done, err := writeOnce.Run(context.Background(), s.client, []string{s.key}, partition, fmt.Sprint(fence), s.name).Int()
		if err != nil || done == 0 {
			return
		}
		select {
		case <-ctx.Done():
		case <-time.After(time.Millisecond):
		}
	}
}

// read returns the counts of the ledger.
func (s sharedLedger) read(t *testing.T) map[string]string {
	t.Helper()
	all, err := s.client.HGetAll(context.Background(), s.key).Result()
	if err != nil {
		t.Fatal(err)
	}
	return all
}
