package redisleases

import (
	"context"
	"time"
)

// StateKey names what a group keeps in Redis.
func StateKey(group string) string { return stateKey(group) }

// Member sends single calls, such as come late from a process that was stopped.
type Member struct{ *session }

// NewMember returns a member with the id given.
func NewMember(k *Keeper, id string) Member {
	return Member{&session{keeper: k, id: id, partitions: 1}}
}

// Take takes partition 0 and returns the fence, 0 if somebody has it.
func (m Member) Take(ctx context.Context) (fence uint64, err error) {
	taken, err := m.take(ctx, 1, []int{0})
	if err != nil || len(taken) == 0 {
		return 0, err
	}
	return taken[0].fence, nil
}

// Renew renews partition 0 under a fence and tells whether that is good yet, and how long until others' leases end.
func (m Member) Renew(ctx context.Context, fence uint64) (good bool, next time.Duration, err error) {
	v, err := m.renew(ctx, unlimited, []grant{{0, fence}})
	return len(v.lost) == 0, v.next, err
}

// Release releases partition 0 under a fence.
func (m Member) Release(ctx context.Context, fence uint64) error {
	return m.release(ctx, false, []grant{{0, fence}})
}
