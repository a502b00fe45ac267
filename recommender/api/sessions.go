// SPDX-License-Identifier: Apache-2.0

package api

import (
	"crypto/rand"
	"crypto/sha256"
	"sync"
	"time"
)

// personAge is how long a person's session lasts at most; it is over earlier
// where the token is, which is judged anew with each request.
const personAge = 12 * time.Hour

// mostSessions are kept; the one that ends first makes room.
const mostSessions = 5_000

// sessions stand for people's tokens, which so never go into a cookie. They
// are forgotten with the process.
type sessions struct {
	mu    sync.Mutex
	known map[[sha256.Size]byte]session
}

type session struct {
	token string
	until time.Time
}

func newSessions() *sessions { return &sessions{known: map[[sha256.Size]byte]session{}} }

// open gives the name of a new session: 260 random bits.
func (s *sessions) open(token string, now time.Time) string {
	name := rand.Text() + rand.Text()
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.known) >= mostSessions {
		s.makeRoom(now)
	}
	s.known[sha256.Sum256([]byte(name))] = session{token, now.Add(personAge)}
	return name
}

// makeRoom needs the lock.
func (s *sessions) makeRoom(now time.Time) {
	var first [sha256.Size]byte
	var ends time.Time
	for key, one := range s.known {
		if !now.Before(one.until) {
			delete(s.known, key)
		} else if ends.IsZero() || one.until.Before(ends) {
			first, ends = key, one.until
		}
	}
	if len(s.known) >= mostSessions {
		delete(s.known, first)
	}
}

// token gives what a session stands for. Only hashes are compared, so that the
// time that it takes tells nothing of a name.
func (s *sessions) token(name string, now time.Time) (string, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	key := sha256.Sum256([]byte(name))
	one, ok := s.known[key]
	if !ok || !now.Before(one.until) {
		delete(s.known, key)
		return "", false
	}
	return one.token, true
}

func (s *sessions) close(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.known, sha256.Sum256([]byte(name)))
}
