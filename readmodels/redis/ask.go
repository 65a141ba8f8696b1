package redis

import (
	"context"
	_ "embed"
	"errors"
	"log/slog"
	"strconv"

	goredis "github.com/redis/go-redis/v9"

	"rolewise/readmodels"
)

//go:embed ask.lua
var askSource string

var askScript = goredis.NewScript(askSource)

// asks is how often a question is asked whose answer was that to another.
const asks = 4

// ForeignAnswerError says that what came back was the answer to another question, again and again: connections are mixed
// up, by the client, by what stands between it and the server, or in the server. It tells nothing of the read model.
type ForeignAnswerError struct{}

func (*ForeignAnswerError) Error() string { return "redis answers what was not asked" }

// ForeignAnswers counts answers that belonged to other questions. None of them was used.
func (s *Store) ForeignAnswers() int64 { return s.foreign.Load() }

// command is one command of a question.
type command struct {
	name string
	key  int // its number among the keys of the question, from 1; 0: it has none
	args []any
}

// ask sends one question on keys of one slot and returns an answer for each of its commands.
//
// Every question has a number, which comes back with its answer. An answer without it belongs to somebody else: then no
// connection is trusted any more, and the question is asked again on a new one. An error that comes without a number
// proves nothing either, so it never makes a read model damaged.
func (s *Store) ask(ctx context.Context, scope readmodels.Scope, keys []string, commands ...command) ([]any, error) {
	args := []any{nil}
	for _, c := range commands {
		args = append(append(args, c.name, c.key, len(c.args)), c.args...)
	}
	for n := 1; ; n++ {
		number := strconv.FormatUint(s.questions.Add(1), 36)
		args[0] = number
		all, err := askScript.RunRO(ctx, s.client, keys, args...).Result()
		if err != nil && !errors.Is(err, goredis.Nil) {
			return nil, err
		}
		if answers, ok := all.([]any); ok && len(answers) == 1+len(commands) && answers[0] == number {
			return answers[1:], refused(scope, answers[1:])
		}
		s.foreign.Add(1)
		s.connections.drop()
		slog.ErrorContext(ctx, "redis has answered what was not asked; all connections to it are made anew", "scope", scope.String())
		if n == asks {
			return nil, &ForeignAnswerError{}
		}
	}
}

// refused returns the first error among answers.
func refused(scope readmodels.Scope, answers []any) error {
	for _, answer := range answers {
		if err, ok := answer.(error); ok {
			if goredis.HasErrorPrefix(err, "WRONGTYPE") {
				err = &readmodels.DamagedError{Scope: scope, Err: err}
			}
			return err
		}
	}
	return nil
}

// texts are the values of an answer that is a list.
func texts(answer any) []string {
	list, _ := answer.([]any)
	all := make([]string, len(list))
	for i, value := range list {
		all[i], _ = value.(string)
	}
	return all
}

// scan returns some of the keys of a scope, and the cursor that goes on; it begins and ends with "0".
func (s *Store) scan(ctx context.Context, scope readmodels.Scope, cursor string) (keys []string, next string, err error) {
	answers, err := s.ask(ctx, scope, []string{checkpointKey(scope)},
		command{"SCAN", 0, []any{cursor, "MATCH", prefix(scope) + "*", "COUNT", perScan}})
	if err != nil {
		return nil, "", err
	}
	return page(answers[0])
}

// page takes the answer to a scan apart.
func page(answer any) (found []string, next string, err error) {
	parts, _ := answer.([]any)
	if len(parts) != 2 {
		return nil, "", errors.New("a scan is answered in an unknown form")
	}
	next, _ = parts[0].(string)
	return texts(parts[1]), next, nil
}
