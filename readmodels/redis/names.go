package redis

import (
	"fmt"
	"net/url"
	"strconv"
	"strings"

	"rolewise/readmodels"
)

// Names in Redis are made of escaped parts and separators that no escaped part contains (':', '@', '/', '{', '}'), so
// that different things never share a name, whatever the parts are:
//
//	rw:{role-analytics@3/07}:checkpoint              hash: position, time, store, epoch, fence; dropping, renewed
//	rw:{role-analytics@3/07}:doc:<plan>:<collection> hash: id → document
//	rw:{role-analytics@3/07}:index:<plan>:<index>    sorted set: entries, all of score 0
//	rw:builds                                        hash: projection → which builds there are
//	rw:partitions                                    the number of partitions of all projections
//	rw/0:{role-analytics@3/07}                       channel of database 0: positions as they are committed
//
// The braces make the scope the hash tag. Escaped parts hold no character that is special in a pattern either.

// tag names a scope.
func tag(s readmodels.Scope) string {
	return fmt.Sprintf("{%s@%s/%02d}", url.QueryEscape(s.Projection), s.Build(), s.Partition)
}

func prefix(s readmodels.Scope) string { return "rw:" + tag(s) + ":" }

func checkpointKey(s readmodels.Scope) string { return prefix(s) + "checkpoint" }

func documentsKey(prefix, plan, collection string) string {
	return prefix + "doc:" + url.QueryEscape(plan) + ":" + url.QueryEscape(collection)
}

func indexKey(prefix string, index readmodels.Index) string {
	return prefix + "index:" + url.QueryEscape(index.Plan) + ":" + url.QueryEscape(index.Name)
}

// channelPrefix keeps databases of one server apart, which share their channels.
func channelPrefix(database int) string { return "rw/" + strconv.Itoa(database) + ":" }

func (s *Store) channel(scope readmodels.Scope) string { return channelPrefix(s.database) + tag(scope) }

// parseKey takes the plan and the collection or index from what follows the prefix of a scope.
func parseKey(rest string) (kind, plan, name string, err error) {
	parts := strings.Split(rest, ":")
	if len(parts) == 1 {
		return parts[0], "", "", nil
	}
	if len(parts) != 3 {
		return "", "", "", fmt.Errorf("key %q has a form that this version does not know", rest)
	}
	if plan, err = url.QueryUnescape(parts[1]); err != nil {
		return "", "", "", fmt.Errorf("key %q: %w", rest, err)
	}
	if name, err = url.QueryUnescape(parts[2]); err != nil {
		return "", "", "", fmt.Errorf("key %q: %w", rest, err)
	}
	return parts[0], plan, name, nil
}
