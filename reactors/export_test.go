package reactors

import "time"

// Pauses changes how long what failed is left alone, before anything runs.
func Pauses(first, longest time.Duration) { firstPause, longestPause = first, longest }
