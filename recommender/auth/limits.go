// SPDX-License-Identifier: Apache-2.0

package auth

import (
	"net/netip"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// Limits bounds how often something may be done, for each of many that do it.
// It remembers a bounded number of them: the one that was quiet for longest is
// forgotten first.
type Limits struct {
	every rate.Limit
	burst int
	now   func() time.Time

	mu    sync.Mutex
	known map[string]*limited
}

type limited struct {
	limiter *rate.Limiter
	last    time.Time
}

const mostLimited = 10_000

// NewLimits lets each do so many a second, and so many at once.
func NewLimits(perSecond float64, burst int, now func() time.Time) *Limits {
	return &Limits{every: rate.Limit(perSecond), burst: burst, now: now, known: map[string]*limited{}}
}

// Allow counts one more; false where it is too many.
func (l *Limits) Allow(who string) bool { return l.take(who, 1) }

// Exhausted says whether one more would be too many, without counting it.
func (l *Limits) Exhausted(who string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	one, ok := l.known[who]
	return ok && one.limiter.TokensAt(l.now()) < 1
}

func (l *Limits) take(who string, n int) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.now()
	one := l.known[who]
	if one == nil {
		if len(l.known) >= mostLimited {
			l.forget()
		}
		one = &limited{limiter: rate.NewLimiter(l.every, l.burst)}
		l.known[who] = one
	}
	one.last = now
	return one.limiter.AllowN(now, n)
}

// forget needs the lock.
func (l *Limits) forget() {
	quiet, oldest := "", time.Time{}
	for who, one := range l.known {
		if quiet == "" || one.last.Before(oldest) {
			quiet, oldest = who, one.last
		}
	}
	delete(l.known, quiet)
}

// HostOf gives the address of host:port without the port, and of IPv6 the /64
// that one machine commonly has; the text itself where it is none.
func HostOf(remote string) string {
	at, err := netip.ParseAddrPort(remote)
	if err != nil {
		return remote
	}
	addr := at.Addr().Unmap().WithZone("")
	if addr.Is6() && !addr.IsLoopback() {
		return netip.PrefixFrom(addr, 64).Masked().String()
	}
	return addr.String()
}
