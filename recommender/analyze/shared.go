// SPDX-License-Identifier: Apache-2.0

package analyze

import (
	"runtime"
	"sync"
	"sync/atomic"
)

// stretch is how many things a worker takes at a time.
const stretch = 256

// shared has work on the numbers below n done on every processor, a stretch of
// them at a time; begin makes a worker, which no two goroutines share. What
// comes of a number must not hang on which worker did it.
func shared(n int, begin func() func(i int)) {
	var next atomic.Int64
	var workers sync.WaitGroup
	for range min(runtime.GOMAXPROCS(0), (n+stretch-1)/stretch) {
		workers.Go(func() {
			do := begin()
			for from := int(next.Add(stretch)) - stretch; from < n; from = int(next.Add(stretch)) - stretch {
				for i := from; i < min(from+stretch, n); i++ {
					do(i)
				}
			}
		})
	}
	workers.Wait()
}

// each is shared for workers that keep nothing.
func each(n int, do func(i int)) { shared(n, func() func(int) { return do }) }
