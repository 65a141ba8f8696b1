package leases

import (
	"errors"
	"sync"
)

// Counter keeps the Stats of a keeper. Its zero value is ready; it is safe for concurrent use.
type Counter struct {
	mutex sync.Mutex
	stats Stats
}

// Began counts a lease that was taken.
func (c *Counter) Began() {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	c.stats.Taken++
	c.stats.Held++
}

// Ended counts the end of a lease by its cause.
func (c *Counter) Ended(cause error) {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	c.stats.Held--
	switch {
	case errors.Is(cause, ErrLost):
		c.stats.Lost++
	case errors.Is(cause, ErrGivenAway):
		c.stats.GivenAway++
	default:
		c.stats.Returned++
	}
}

// Failed counts a call that failed.
func (c *Counter) Failed() {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	c.stats.Failures++
}

// Stats returns the counts.
func (c *Counter) Stats() Stats {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	return c.stats
}
