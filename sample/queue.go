package sample

import (
	"container/heap"
	"time"
)

// queue holds what is to happen, the earliest first; of the same moment, what was added first.
type queue struct {
	steps []step
	added uint64
}

type step struct {
	at   time.Time
	turn uint64
	run  func() error
}

func (q *queue) Len() int { return len(q.steps) }
func (q *queue) Less(i, j int) bool {
	a, b := q.steps[i], q.steps[j]
	if !a.at.Equal(b.at) {
		return a.at.Before(b.at)
	}
	return a.turn < b.turn
}
func (q *queue) Swap(i, j int) { q.steps[i], q.steps[j] = q.steps[j], q.steps[i] }
func (q *queue) Push(x any)    { q.steps = append(q.steps, x.(step)) }
func (q *queue) Pop() any {
	last := q.steps[len(q.steps)-1]
	q.steps[len(q.steps)-1] = step{} // lets go of the closure
	q.steps = q.steps[:len(q.steps)-1]
	return last
}

func (q *queue) add(at time.Time, run func() error) {
	q.added++
	heap.Push(q, step{at, q.added, run})
}

func (q *queue) next() step { return heap.Pop(q).(step) }
