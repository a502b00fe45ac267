// SPDX-License-Identifier: Apache-2.0

package auth

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync"
	"testing"
	"time"

	authorizationv1 "k8s.io/api/authorization/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// granter grants "namespace verb resource" to groups, and counts what it is asked.
type granter struct {
	grants map[string]string // right → group
	err    error

	mu    sync.Mutex
	asked int
}

func (g *granter) Create(_ context.Context, r *authorizationv1.SubjectAccessReview, _ metav1.CreateOptions) (*authorizationv1.SubjectAccessReview, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.asked++
	a := r.Spec.ResourceAttributes
	right := a.Verb + " " + a.Resource
	allowed := false
	for _, namespace := range []string{a.Namespace, ""} {
		group, ok := g.grants[namespace+" "+right]
		allowed = allowed || ok && slices.Contains(r.Spec.Groups, group)
	}
	return &authorizationv1.SubjectAccessReview{Status: authorizationv1.SubjectAccessReviewStatus{Allowed: allowed}}, g.err
}

func newGranter() *granter {
	return &granter{grants: map[string]string{
		"shop list pods": "shop", "shop list networkpolicies": "shop", "shop update networkpolicies": "owners",
		"data list pods":  "shop", // and no policies
		" list pods":      "everywhere",
		" list nodes":     "platform",
		"web list pods":   "platform",
		"ops update pods": "shop",
	}}
}

func TestRightsFollowTheAPIServer(t *testing.T) {
	g := newGranter()
	g.grants[" list networkpolicies"] = "everywhere"
	names := []string{"shop", "data", "ops", ""}
	for _, c := range []struct {
		groups         []string
		cluster, every bool
		sees           []string
	}{
		{nil, false, false, nil},
		{[]string{"shop"}, false, false, []string{"shop"}},
		{[]string{"platform"}, false, false, nil},
		{[]string{"everywhere"}, false, true, []string{"shop", "data", "ops", "tomorrow"}},
		{[]string{"everywhere", "platform"}, true, true, []string{"shop", "data", "ops", "tomorrow", ""}},
	} {
		r, err := NewAccess(g, func() time.Time { return t0 }).Rights(t.Context(), Identity{User: "jane", Groups: c.groups}, names)
		if err != nil {
			t.Fatal(err)
		}
		if r.Cluster != c.cluster || r.Every != c.every {
			t.Errorf("%v: %+v", c.groups, r)
		}
		for _, name := range []string{"shop", "data", "ops", "tomorrow", ""} {
			if got := r.See(name); got != slices.Contains(c.sees, name) {
				t.Errorf("%v sees %q: %v", c.groups, name, got)
			}
		}
	}
}

func TestRightsAreKeptForAMinute(t *testing.T) {
	g, now := newGranter(), t0
	a := NewAccess(g, func() time.Time { return now })
	jane := Identity{User: "jane", Groups: []string{"shop"}}
	ask := func() Rights {
		r, err := a.Rights(t.Context(), jane, []string{"shop"})
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	first := ask()
	asked := g.asked
	maps.DeleteFunc(first.Namespaces, func(string, bool) bool { return true }) // the caller's own
	if !ask().See("shop") || g.asked != asked {
		t.Errorf("asked %d times, want %d", g.asked, asked)
	}
	g.grants = nil
	now = now.Add(time.Minute)
	if ask().See("shop") {
		t.Error("what was withdrawn is given a minute later")
	}
	// Somebody else's rights are not hers.
	other, err := a.Rights(t.Context(), Identity{User: "jane", Groups: []string{"other"}}, []string{"shop"})
	if err != nil || other.See("shop") {
		t.Errorf("%+v, %v", other, err)
	}
}

// Whoever cannot be asked about sees nothing.
func TestRightsFailClosed(t *testing.T) {
	g := newGranter()
	g.err = errors.New("down")
	a := NewAccess(g, func() time.Time { return t0 })
	jane := Identity{User: "jane", Groups: []string{"shop", "owners"}}
	if r, err := a.Rights(t.Context(), jane, []string{"shop"}); err == nil || r.See("shop") {
		t.Errorf("%+v, %v", r, err)
	}
	if ok, err := a.MayDecide(t.Context(), jane, "shop"); err == nil || ok {
		t.Errorf("%v, %v", ok, err)
	}
	g.err = nil
	if r, err := a.Rights(t.Context(), jane, []string{"shop"}); err != nil || !r.See("shop") {
		t.Errorf("after the outage: %+v, %v", r, err)
	}
	if ok, err := a.MayDecide(t.Context(), jane, "shop"); err != nil || !ok {
		t.Errorf("after the outage: %v, %v", ok, err)
	}
	if ok, err := a.MayDecide(t.Context(), jane, "ops"); err != nil || ok {
		t.Errorf("ops: %v, %v", ok, err)
	}
}

func TestLimits(t *testing.T) {
	now := t0
	l := NewLimits(1, 3, func() time.Time { return now })
	for i := range 4 {
		if got := l.Allow("a"); got != (i < 3) {
			t.Errorf("try %d: %v", i, got)
		}
	}
	if !l.Exhausted("a") || l.Exhausted("b") || !l.Allow("b") {
		t.Error("one's limit is another's")
	}
	now = now.Add(time.Second)
	if l.Exhausted("a") || !l.Allow("a") || l.Allow("a") {
		t.Error("a second later: want one more")
	}
	for i := range mostLimited + 10 {
		l.Allow(string(rune('a'+i%26)) + time.Duration(i).String())
	}
	if len(l.known) > mostLimited {
		t.Errorf("%d are remembered", len(l.known))
	}
	for remote, want := range map[string]string{"192.0.2.1:80": "192.0.2.1", "[2001:db8::1]:80": "2001:db8::/64", "[::ffff:192.0.2.1]:1": "192.0.2.1", "[::1]:9": "::1", "pipe": "pipe"} {
		if got := HostOf(remote); got != want {
			t.Errorf("%s: %s, want %s", remote, got, want)
		}
	}
}
