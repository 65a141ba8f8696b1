package redisleases

import (
	"context"
	_ "embed"
	"fmt"
	"net/url"
	"strconv"
	"time"

	goredis "github.com/redis/go-redis/v9"
)

//go:embed leases.lua
var source string

var script = goredis.NewScript(source)

// Names in Redis, the group escaped and a hash tag:
//
//	rw:{leases/role-analytics}         hash: the members of a group and their leases
//	rw:{leases/role-analytics}:changed channel: ids of members that have joined, left or released leases
func stateKey(group string) string { return "rw:{leases/" + url.QueryEscape(group) + "}" }

func channel(group string) string { return stateKey(group) + ":changed" }

// grant is a lease as Redis knows it.
type grant struct {
	partition int
	fence     uint64
}

// member is a process that shares in the partitions.
type member struct {
	id   string
	most int // leases it can have; unlimited
}

// unlimited is the most leases of a member that is well.
const unlimited = -1

// view is what a renewal has found.
type view struct {
	lost    []int // partitions whose leases were not renewed
	free    []int // partitions that nobody has, or this process without knowing
	members []member
	next    time.Duration // until something of another member ends if it is not renewed; 0: there is none
}

// call runs one operation. It takes no longer than a third of the lease time, if the client heeds contexts. The end of
// the session does not cut it off: a lease whose answer is lost is idle until it ends.
func (s *session) call(ctx context.Context, operation string, args ...any) ([]any, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.keeper.lease/3)
	defer cancel()
	args = append([]any{operation, channel(s.keeper.group), s.id, s.keeper.lease.Microseconds()}, args...)
	answer, err := script.Run(ctx, s.keeper.client, []string{stateKey(s.keeper.group)}, args...).Slice()
	if err != nil {
		s.keeper.counter.Failed()
		return nil, fmt.Errorf("%s leases of %s in redis: %w", operation, s.keeper.group, err)
	}
	return answer, nil
}

// renew renews the leases given and the membership.
func (s *session) renew(ctx context.Context, most int, held []grant) (view, error) {
	answer, err := s.call(ctx, "renew", append([]any{s.partitions, mostText(most)}, pairs(held)...)...)
	if err != nil {
		return view{}, err
	}
	if len(answer) != 4 {
		return view{}, fmt.Errorf("renew leases of %s: redis answers with %d parts, not 4", s.keeper.group, len(answer))
	}
	var v view
	next, err := strconv.ParseInt(fmt.Sprint(answer[0]), 10, 64)
	if err != nil {
		return view{}, fmt.Errorf("read the end of the next lease: %w", err)
	}
	v.next = time.Duration(next) * time.Microsecond
	if v.lost, err = numbers(answer[1]); err != nil {
		return view{}, fmt.Errorf("read lost leases: %w", err)
	}
	if v.members, err = readMembers(answer[2]); err != nil {
		return view{}, fmt.Errorf("read members of %s: %w", s.keeper.group, err)
	}
	if v.free, err = numbers(answer[3]); err != nil {
		return view{}, fmt.Errorf("read free partitions: %w", err)
	}
	return v, nil
}

// take takes at most so many leases of the partitions given and returns those that it got.
func (s *session) take(ctx context.Context, most int, partitions []int) ([]grant, error) {
	args := []any{most}
	for _, p := range partitions {
		args = append(args, p)
	}
	answer, err := s.call(ctx, "take", args...)
	if err != nil {
		return nil, err
	}
	var taken []grant
	for i := 0; i+1 < len(answer); i += 2 {
		partition, err := strconv.Atoi(fmt.Sprint(answer[i]))
		if err != nil {
			return nil, fmt.Errorf("read a lease: %w", err)
		}
		fence, err := strconv.ParseUint(fmt.Sprint(answer[i+1]), 10, 64)
		if err != nil {
			return nil, fmt.Errorf("read the fence of partition %d: %w", partition, err)
		}
		taken = append(taken, grant{partition, fence})
	}
	return taken, nil
}

// release gives leases back, those of them that are still this process's, and the membership too if it leaves.
func (s *session) release(ctx context.Context, leave bool, held []grant) error {
	how := "stay"
	if leave {
		how = "leave"
	}
	_, err := s.call(ctx, "release", append([]any{how}, pairs(held)...)...)
	return err
}

func pairs(grants []grant) []any {
	var args []any
	for _, g := range grants {
		args = append(args, g.partition, strconv.FormatUint(g.fence, 10))
	}
	return args
}

func mostText(most int) string {
	if most == unlimited {
		return "-"
	}
	return strconv.Itoa(most)
}

func numbers(part any) ([]int, error) {
	var found []int
	list, _ := part.([]any)
	for _, item := range list {
		n, err := strconv.Atoi(fmt.Sprint(item))
		if err != nil {
			return nil, err
		}
		found = append(found, n)
	}
	return found, nil
}

func readMembers(part any) ([]member, error) {
	list, _ := part.([]any)
	var found []member
	for i := 0; i+1 < len(list); i += 2 {
		m := member{id: fmt.Sprint(list[i]), most: unlimited}
		if text := fmt.Sprint(list[i+1]); text != "-" {
			var err error
			if m.most, err = strconv.Atoi(text); err != nil {
				return nil, err
			}
		}
		found = append(found, m)
	}
	return found, nil
}
