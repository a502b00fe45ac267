// SPDX-License-Identifier: Apache-2.0

package auth

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// server answers reviews as it is told, and counts them.
type server struct {
	asked  atomic.Int32
	answer func(authenticationv1.TokenReviewSpec) (authenticationv1.TokenReviewStatus, error)
}

func (s *server) Create(_ context.Context, r *authenticationv1.TokenReview, _ metav1.CreateOptions) (*authenticationv1.TokenReview, error) {
	s.asked.Add(1)
	status, err := s.answer(r.Spec)
	return &authenticationv1.TokenReview{Status: status}, err
}

// token makes an unsigned web token.
func token(body string) string {
	e := base64.RawURLEncoding.EncodeToString
	return e([]byte(`{"alg":"none"}`)) + "." + e([]byte(body)) + "." + e([]byte("signature"))
}

var t0 = time.Unix(1_800_000_000, 0)

func taken(spec authenticationv1.TokenReviewSpec) (authenticationv1.TokenReviewStatus, error) {
	return authenticationv1.TokenReviewStatus{Authenticated: true, Audiences: spec.Audiences, User: authenticationv1.UserInfo{
		Username: "system:serviceaccount:netcinch:agent", Groups: []string{"g"},
		Extra: map[string]authenticationv1.ExtraValue{extraNode: {"n1"}, extraPod: {"agent-1"}, extraPodUID: {"u1"}},
	}}, nil
}

func TestReviewSaysWhoseATokenIs(t *testing.T) {
	now := t0
	r := NewReviewer(&server{answer: taken}, func() time.Time { return now })
	who, err := r.Review(t.Context(), "opaque", "netcinch")
	if err != nil {
		t.Fatal(err)
	}
	namespace, name, ok := who.Account()
	pod, uid := who.Pod()
	if namespace != "netcinch" || name != "agent" || !ok || who.Node() != "n1" || pod != "agent-1" || uid != "u1" {
		t.Errorf("got %+v", who)
	}
	who.Extra[extraNode] = append(who.Extra[extraNode], "n2")
	if who.Node() != "" {
		t.Errorf("of two nodes %q is believed", who.Node())
	}
	for _, user := range []string{"jane", "system:serviceaccount:netcinch", "system:serviceaccount:netcinch:", "system:serviceaccount::x"} {
		if _, _, ok := (Identity{User: user}).Account(); ok {
			t.Errorf("%q passes for a ServiceAccount", user)
		}
	}
}

// What the API server does not take, or cannot say, lets nobody in.
func TestReviewRefuses(t *testing.T) {
	for _, c := range []struct {
		name, token string
		answer      func(authenticationv1.TokenReviewSpec) (authenticationv1.TokenReviewStatus, error)
		refused     bool
		want        string
		asked       int32
	}{
		{"empty", "", taken, true, "", 0},
		{"endless", strings.Repeat("x", maxToken+1), taken, true, "", 0},
		{"ended", token(`{"exp":1799999999}`), taken, true, "it ended at", 0},
		{"not valid", "t", func(authenticationv1.TokenReviewSpec) (authenticationv1.TokenReviewStatus, error) {
			return authenticationv1.TokenReviewStatus{Error: "secret-detail"}, nil
		}, true, "not valid", 1},
		{"other audience", "t", func(s authenticationv1.TokenReviewSpec) (authenticationv1.TokenReviewStatus, error) {
			s.Audiences = []string{"other"}
			return taken(s)
		}, true, `not for the audience "netcinch"`, 1},
		{"a server without audiences", "t", func(authenticationv1.TokenReviewSpec) (authenticationv1.TokenReviewStatus, error) {
			return taken(authenticationv1.TokenReviewSpec{})
		}, true, `not for the audience "netcinch"`, 1},
		{"nobody", "t", func(s authenticationv1.TokenReviewSpec) (authenticationv1.TokenReviewStatus, error) {
			return authenticationv1.TokenReviewStatus{Authenticated: true, Audiences: s.Audiences}, nil
		}, true, "belongs to nobody", 1},
		{"down", "t", func(authenticationv1.TokenReviewSpec) (authenticationv1.TokenReviewStatus, error) {
			return authenticationv1.TokenReviewStatus{}, apierrors.NewServiceUnavailable("secret-detail")
		}, false, "503", 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := &server{answer: c.answer}
			who, err := NewReviewer(s, func() time.Time { return t0 }).Review(t.Context(), c.token, "netcinch")
			if err == nil || errors.Is(err, ErrRefused) != c.refused || !strings.Contains(err.Error(), c.want) || who.User != "" {
				t.Errorf("%+v, %v: want refused=%v with %q", who, err, c.refused, c.want)
			}
			if s.asked.Load() != c.asked || strings.Contains(fmt.Sprint(err), "secret-detail") {
				t.Errorf("asked %d times, want %d: %v", s.asked.Load(), c.asked, err)
			}
		})
	}
}

// An answer is kept for a minute, a refusal for ten seconds, neither beyond
// the token's end, and that it could not be asked not at all.
func TestReviewsAreKeptForAWhile(t *testing.T) {
	ends := t0.Add(20 * time.Second)
	for _, c := range []struct {
		name, token string
		answer      func(authenticationv1.TokenReviewSpec) (authenticationv1.TokenReviewStatus, error)
		after       time.Duration
		asked       int32
	}{
		{"taken", "t", taken, 59 * time.Second, 1},
		{"taken, a minute later", "t", taken, time.Minute, 2},
		{"until its end", token(fmt.Sprintf(`{"exp":%d}`, ends.Unix())), taken, 19 * time.Second, 1},
		{"after its end", token(fmt.Sprintf(`{"exp":%d}`, ends.Unix())), taken, 20 * time.Second, 1}, // not asked: it says itself that it is over
		{"refused", "t", func(authenticationv1.TokenReviewSpec) (authenticationv1.TokenReviewStatus, error) {
			return authenticationv1.TokenReviewStatus{}, nil
		}, 9 * time.Second, 1},
		{"refused, later", "t", func(authenticationv1.TokenReviewSpec) (authenticationv1.TokenReviewStatus, error) {
			return authenticationv1.TokenReviewStatus{}, nil
		}, 10 * time.Second, 2},
		{"down", "t", func(authenticationv1.TokenReviewSpec) (authenticationv1.TokenReviewStatus, error) {
			return authenticationv1.TokenReviewStatus{}, errors.New("down")
		}, 0, 2},
	} {
		now := t0
		s := &server{answer: c.answer}
		r := NewReviewer(s, func() time.Time { return now })
		_, first := r.Review(t.Context(), c.token, "netcinch")
		now = now.Add(c.after)
		_, second := r.Review(t.Context(), c.token, "netcinch")
		if s.asked.Load() != c.asked {
			t.Errorf("%s: asked %d times, want %d (%v, %v)", c.name, s.asked.Load(), c.asked, first, second)
		}
		if c.name == "after its end" && !errors.Is(second, ErrRefused) {
			t.Errorf("%s: %v, want a refusal", c.name, second)
		}
	}
}

// The same token for another audience is another question.
func TestReviewsAreKeptByAudience(t *testing.T) {
	s := &server{answer: func(spec authenticationv1.TokenReviewSpec) (authenticationv1.TokenReviewStatus, error) {
		if len(spec.Audiences) > 0 {
			spec.Audiences = []string{"other"}
		}
		return taken(spec)
	}}
	r := NewReviewer(s, func() time.Time { return t0 })
	if _, err := r.Review(t.Context(), "t", ""); err != nil {
		t.Fatal(err)
	}
	if who, err := r.Review(t.Context(), "t", "netcinch"); !errors.Is(err, ErrRefused) {
		t.Errorf("taken without an audience, and so with one: %+v", who)
	}
}

func TestPersonsTokenIsForUsOrForTheAPIServer(t *testing.T) {
	var asked []string
	s := &server{answer: func(spec authenticationv1.TokenReviewSpec) (authenticationv1.TokenReviewStatus, error) {
		asked = spec.Audiences
		return taken(spec)
	}}
	r := NewReviewer(s, func() time.Time { return t0 })
	for body, want := range map[string]int{`{"aud":"netcinch"}`: 1, `{"aud":["x","netcinch"]}`: 1, `{"aud":["https://kubernetes.default.svc"]}`: 0, `{}`: 0} {
		if _, err := r.Person(t.Context(), token(body), "netcinch"); err != nil || len(asked) != want {
			t.Errorf("%s: asked for %v, %v", body, asked, err)
		}
	}
}

func TestCacheIsBounded(t *testing.T) {
	c := newCache[int, int](10)
	for i := range 1000 {
		c.put(i, i, t0, t0.Add(time.Minute))
		if v, ok := c.get(i, t0); !ok || v != i {
			t.Fatalf("%d is not there right after it was put", i)
		}
	}
	if c.size() > 10 {
		t.Errorf("%d entries, want 10 at most", c.size())
	}
}

// FuzzClaims wants nothing of a token to make an answer last longer than a minute.
func FuzzClaims(f *testing.F) {
	f.Add(token(`{"exp":1800000020,"aud":["a"]}`))
	f.Add(token(`{"exp":-1e300,"aud":""}`))
	f.Add("a.b.c")
	f.Fuzz(func(t *testing.T, text string) {
		s := &server{answer: taken}
		now := t0
		r := NewReviewer(s, func() time.Time { return now })
		_, err := r.Review(t.Context(), text, "netcinch")
		now = now.Add(keepTaken)
		before := s.asked.Load()
		_, again := r.Review(t.Context(), text, "netcinch")
		if err == nil && again == nil && s.asked.Load() == before {
			t.Errorf("%q is believed for more than %v", text, keepTaken)
		}
	})
}
