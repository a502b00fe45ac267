// SPDX-License-Identifier: Apache-2.0

package deliver

import (
	"math/rand/v2"
	"time"
)

// backoff gives how long to wait before the next try, after so many failures
// (1 or more) upon each other: twice as long each time, up to most, and
// somewhere between half of it and all of it, so that not everybody comes back
// at once. What the receiver asked for is the least.
func backoff(first, most time.Duration, failures int, asked time.Duration) time.Duration {
	wait := first
	for i := 1; i < failures && wait < most; i++ {
		wait *= 2
	}
	wait = min(wait, most)
	half := wait / 2
	wait = half + rand.N(wait-half+1) //nolint:gosec // nothing depends on it being secret
	return max(wait, asked)
}
