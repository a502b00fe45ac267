// SPDX-License-Identifier: Apache-2.0

package install

import (
	"errors"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/netcinch/netcinch/recommender/auth"
	"github.com/netcinch/netcinch/recommender/ingest"
)

// What the recommender's own ServiceAccount is told of agents' tokens.
func (i *installed) testAgents(t *testing.T) {
	pod := i.pod(t, "netcinch", "agent-1", "netcinch-agent", "worker-1")
	other := i.pod(t, "shop", "agent-1", "netcinch-agent", "worker-1")
	client := i.as(t, "netcinch")
	accounts := func() *ingest.Accounts { // without what another has kept
		return &ingest.Accounts{
			Reviewer: auth.NewReviewer(client.AuthenticationV1().TokenReviews(), time.Now), Audience: "netcinch", Namespace: "netcinch", Name: "netcinch-agent", Cluster: "c",
			NodeOf: func(string, string, string) (string, bool) { return "", false },
		}
	}
	good := i.account(t, "netcinch", "netcinch-agent", "netcinch", pod)
	who, err := accounts().Authenticate(t.Context(), good)
	if err != nil || !who.MaySpeakFor("c", "worker-1") || who.MaySpeakFor("c", "worker-2") {
		t.Errorf("an agent's token: %+v, %v: want it to speak for worker-1 alone", who, err)
	}
	for name, c := range map[string]struct {
		token string
		want  error
	}{
		"for the API server":     {i.account(t, "netcinch", "netcinch-agent", "", pod), ingest.ErrUnauthenticated},
		"for another audience":   {i.account(t, "netcinch", "netcinch-agent", "other", pod), ingest.ErrUnauthenticated},
		"bound to no pod":        {i.account(t, "netcinch", "netcinch-agent", "netcinch", nil), ingest.ErrForbidden},
		"of another account":     {i.account(t, "netcinch", "netcinch", "netcinch", nil), ingest.ErrForbidden},
		"of another's namespace": {i.account(t, "shop", "netcinch-agent", "netcinch", other), ingest.ErrForbidden},
		"changed":                {good[:len(good)-4] + "AAAA", ingest.ErrUnauthenticated},
		"made up":                {"token", ingest.ErrUnauthenticated},
	} {
		if who, err := accounts().Authenticate(t.Context(), c.token); !errors.Is(err, c.want) {
			t.Errorf("a token %s: %+v, %v, want %v", name, who, err, c.want)
		}
	}
	now := int64(0)
	if err := i.client.CoreV1().Pods("netcinch").Delete(t.Context(), pod.Name, metav1.DeleteOptions{GracePeriodSeconds: &now}); err != nil {
		t.Fatal(err)
	}
	// The API server keeps what it found for ten seconds itself.
	deadline := time.Now().Add(time.Minute)
	for {
		_, err := accounts().Authenticate(t.Context(), good)
		if errors.Is(err, ingest.ErrUnauthenticated) {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("the token of a pod that is gone: %v", err)
		}
		<-time.After(500 * time.Millisecond)
	}
}

// What people may see follows the bindings that the API server has.
func (i *installed) testPeople(t *testing.T) {
	client := i.as(t, "netcinch")
	reviewer := auth.NewReviewer(client.AuthenticationV1().TokenReviews(), time.Now)
	i.grant(t, "shop", "viewer", "get", "list")
	i.grant(t, "shop", "editor", "get", "list", "update")
	for name, c := range map[string]struct{ sees, decides bool }{"viewer": {true, false}, "editor": {true, true}, "nobody": {false, false}} {
		for _, audience := range []string{"netcinch", ""} {
			who, err := reviewer.Person(t.Context(), i.account(t, "netcinch", name, audience, nil), "netcinch")
			if err != nil || who.User != "system:serviceaccount:netcinch:"+name {
				t.Fatalf("%s with a token for %q: %+v, %v", name, audience, who, err)
			}
			access := auth.NewAccess(client.AuthorizationV1().SubjectAccessReviews(), time.Now)
			rights, err := access.Rights(t.Context(), who, []string{"shop", "vault"})
			if err != nil || rights.See("shop") != c.sees || rights.See("vault") || rights.See("") || rights.Every {
				t.Errorf("%s: %+v, %v", name, rights, err)
			}
			if ok, err := access.MayDecide(t.Context(), who, "shop"); err != nil || ok != c.decides {
				t.Errorf("%s decides: %v, %v", name, ok, err)
			}
		}
	}
	if _, err := reviewer.Person(t.Context(), i.account(t, "netcinch", "viewer", "vault", nil), "netcinch"); !errors.Is(err, auth.ErrRefused) {
		t.Errorf("a person's token for something else: %v", err)
	}
}
