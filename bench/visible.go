package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	goredis "github.com/redis/go-redis/v9"
)

const visibleMethod = `One client sends a command of the same mix to ` + "`rolewise serve`" + ` on a real Redis, takes the position
out of the answer, and asks for the report on a role (` + "`/analytics/roles/{id}`" + `) as of that position or later
(` + "`min_position`" + `): the answer comes once the projection has got there. Counted from sending the command, and from its answer; both
include the query itself. The limits: 4 KiB flushed to a file (fdatasync) and then one round trip to Redis, which reads a
document of 300 bytes; and that round trip alone. Noise: each step wakes another process on few cores, and the report reads
several documents.`

func benchVisible(ctx context.Context, s *suite) (a area, err error) {
	served, err := s.serve(ctx)
	if err != nil {
		return a, err
	}
	defer func() { err = errors.Join(err, served.close()) }()
	client, err := openRedis(served.redis.URL)
	if err != nil {
		return a, err
	}
	defer func() { err = errors.Join(err, client.Close()) }()
	file, err := openBareFile(s.folder)
	if err != nil {
		return a, err
	}
	defer func() { err = errors.Join(err, file.Close()) }()

	a = area{Title: "Command → visible", Method: visibleMethod}
	a.Rows = append(a.Rows, latencyRows("command sent → visible", "sent", "fdatasync and a round trip to Redis", "flush and redis")...)
	a.Rows = append(a.Rows, latencyRows("command answered → visible", "answered", "a round trip to Redis", "redis")...)
	a.samples, err = s.compare(ctx,
		func(ctx context.Context, into samples) error { return served.visible(ctx, s.slice, into) },
		func(ctx context.Context, into samples) error { return roundTrips(ctx, file, client, s.slice, into) },
	)
	return a, err
}

// visible sends commands one by one and asks for the effect of each.
func (r *served) visible(ctx context.Context, slice time.Duration, into samples) error {
	plan := &r.history.plans[0]
	c, err := dial(ctx, r.address)
	if err != nil {
		return err
	}
	defer c.close()
	role, err := someRole(c, plan)
	if err != nil {
		return err
	}
	var sent, answered []time.Duration
	for begin := time.Now(); time.Since(begin) < slice; {
		if err := ctx.Err(); err != nil {
			return err
		}
		command, err := plan.command()
		if err != nil {
			return err
		}
		start := time.Now()
		body, err := expect(c, command)
		if err != nil {
			return err
		}
		position, answer := positionIn(body), time.Now()
		query := plan.request(http.MethodGet, fmt.Sprintf("/v1/plans/%s/analytics/roles/%s?min_position=%s", plan.id, role, position), nil)
		body, err = expect(c, query)
		if err != nil {
			return err
		}
		sent, answered = append(sent, time.Since(start)), append(answered, time.Since(answer))
		if at := positionIn(body); at < position {
			return fmt.Errorf("asked for position %s or later, got %s", position, at)
		}
	}
	into.latency("sent", sent)
	into.latency("answered", answered)
	return nil
}

// expect sends a request that must be answered well.
func expect(c *client, request []byte) ([]byte, error) {
	status, body, err := c.do(request)
	if err == nil && status != http.StatusOK {
		err = fmt.Errorf("answered %d: %s", status, body)
	}
	return body, err
}

// someRole returns the id of the first role in the report on all roles.
func someRole(c *client, plan *planLoad) (string, error) {
	body, err := expect(c, plan.request(http.MethodGet, fmt.Sprintf("/v1/plans/%s/analytics/roles", plan.id), nil))
	if err != nil {
		return "", err
	}
	var report struct{ Items []struct{ Role string } }
	if err := json.Unmarshal(body, &report); err != nil {
		return "", err
	}
	if len(report.Items) == 0 {
		return "", fmt.Errorf("plan %s has no roles", plan.id)
	}
	return report.Items[0].Role, nil
}

// roundTrips flushes a block, then reads a document from Redis.
func roundTrips(ctx context.Context, file bareFile, client *goredis.Client, slice time.Duration, into samples) error {
	if err := client.HSet(ctx, "bare", "document", filledWith('v', 300)).Err(); err != nil {
		return err
	}
	var both, redisOnly []time.Duration
	for begin := time.Now(); time.Since(begin) < slice; {
		start := time.Now()
		if err := file.append(); err != nil {
			return err
		}
		flushed := time.Now()
		if err := client.HGet(ctx, "bare", "document").Err(); err != nil {
			return err
		}
		both, redisOnly = append(both, time.Since(start)), append(redisOnly, time.Since(flushed))
	}
	into.latency("flush and redis", both)
	into.latency("redis", redisOnly)
	return nil
}
