// SPDX-License-Identifier: Apache-2.0

package ingest

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/netcinch/netcinch/recommender/auth"
	"github.com/netcinch/netcinch/recommender/wire"
)

// tokenServer is an API server that knows some tokens by name.
type tokenServer struct {
	tokens map[string]reviewed
	down   bool
}

type reviewed struct {
	user, node, pod, uid string
	audiences            []string
}

func (s *tokenServer) Create(_ context.Context, r *authenticationv1.TokenReview, _ metav1.CreateOptions) (*authenticationv1.TokenReview, error) {
	if s.down {
		return nil, errors.New("connection refused")
	}
	t, ok := s.tokens[r.Spec.Token]
	var audiences []string
	for _, a := range r.Spec.Audiences {
		if slices.Contains(t.audiences, a) {
			audiences = append(audiences, a)
		}
	}
	if !ok || len(audiences) == 0 {
		return &authenticationv1.TokenReview{}, nil
	}
	extra := map[string]authenticationv1.ExtraValue{}
	for key, value := range map[string]string{"node-name": t.node, "pod-name": t.pod, "pod-uid": t.uid} {
		if value != "" {
			extra["authentication.kubernetes.io/"+key] = authenticationv1.ExtraValue{value}
		}
	}
	return &authenticationv1.TokenReview{Status: authenticationv1.TokenReviewStatus{
		Authenticated: true, Audiences: audiences, User: authenticationv1.UserInfo{Username: t.user, Extra: extra},
	}}, nil
}

const agentUser = "system:serviceaccount:netcinch:netcinch-agent"

func newTokenServer() *tokenServer {
	netcinch := []string{"netcinch"}
	return &tokenServer{tokens: map[string]reviewed{
		"secret-good":        {agentUser, "n1", "agent-1", "u1", netcinch},
		"secret-old-server":  {agentUser, "", "agent-1", "u1", netcinch}, // the API server does not tell the node
		"secret-old-unknown": {agentUser, "", "agent-9", "u9", netcinch},
		"secret-moved":       {agentUser, "n1", "agent-2", "u2", netcinch}, // the pod runs elsewhere
		"secret-unbound":     {agentUser, "n1", "", "", netcinch},
		"secret-other":       {"system:serviceaccount:shop:netcinch-agent", "n1", "web-1", "u3", netcinch},
		"secret-person":      {"jane", "", "", "", netcinch},
		"secret-api":         {agentUser, "n1", "agent-1", "u1", []string{"https://kubernetes.default.svc"}},
	}}
}

// newClusterWorld is a recommender that takes agents by their ServiceAccount.
func newClusterWorld(t *testing.T, s *tokenServer) *world {
	t.Helper()
	running := map[string]string{"netcinch/agent-1/u1": "n1", "netcinch/agent-2/u2": "n2"}
	return newWorld(t, func(o *Options) {
		o.Auth = &Accounts{
			Reviewer: auth.NewReviewer(s, o.Clock), Audience: "netcinch", Namespace: "netcinch", Name: "netcinch-agent", Cluster: "c",
			NodeOf: func(namespace, name, uid string) (string, bool) {
				node, ok := running[namespace+"/"+name+"/"+uid]
				return node, ok
			},
		}
	})
}

// Whoever forges a node, a pod or an audience is refused, counted and audited.
func TestAgentsProveThemselves(t *testing.T) {
	good := edge("10.0.1.1", "10.0.2.1", isClient)
	foreign := good
	foreign.Pod.Name = "cart-x"
	elsewhere, otherCluster := header, header
	elsewhere.Node, otherCluster.Cluster = "n2", "d"
	whole := body(t, header, good)
	for _, c := range []struct {
		name, token string
		raw         []byte
		status      int
		reason      wire.Reason
		audited     string
	}{
		{"the agent", "secret-good", whole, 200, "", ""},
		{"the agent, an older API server", "secret-old-server", whole, 200, "", ""},
		{"a pod that is not known yet", "secret-old-unknown", whole, 503, wire.ReasonUnavailable, "agent-9 is not known yet"},
		{"forged node", "secret-good", body(t, elsewhere, good), 403, wire.ReasonForbidden, `may not speak for node \"n2\"`},
		{"forged pod", "secret-good", body(t, header, good, foreign), 422, wire.ReasonForeignPod, `runs on node \"n2\"`},
		{"a token of a pod that runs elsewhere", "secret-moved", whole, 403, wire.ReasonForbidden, `agent-2 runs on \"n2\"`},
		{"a token of no pod", "secret-unbound", whole, 403, wire.ReasonForbidden, "bound to no pod"},
		{"another ServiceAccount", "secret-other", whole, 403, wire.ReasonForbidden, "is not the agents' account"},
		{"a person", "secret-person", whole, 403, wire.ReasonForbidden, "jane is not the agents' account"},
		{"wrong audience", "secret-api", whole, 401, wire.ReasonUnauthenticated, "does not take the token"},
		{"expired", "eyJhbGciOiJub25lIn0.eyJleHAiOjF9.c2VjcmV0", whole, 401, wire.ReasonUnauthenticated, "it ended at 1970"},
		{"made up", "secret-guess", whole, 401, wire.ReasonUnauthenticated, "does not take the token"},
		{"another cluster", "secret-good", body(t, otherCluster, good), 422, wire.ReasonUnknownCluster, `cluster \"d\"`},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newClusterWorld(t, newTokenServer())
			r := request(c.raw)
			r.Header.Set("Authorization", "Bearer "+c.token)
			answer := w.post(r)
			if c.status == http.StatusOK {
				if answer.Code != http.StatusOK || len(w.store.batches) != 1 {
					t.Fatalf("%d %s", answer.Code, answer.Body)
				}
				return
			}
			var p wire.Problem
			if err := json.Unmarshal(answer.Body.Bytes(), &p); err != nil || answer.Code != c.status || p.Reason != c.reason {
				t.Errorf("%d %s: want %d %s", answer.Code, answer.Body, c.status, c.reason)
			}
			if len(w.store.batches) != 0 || w.batches(string(c.reason)) != 1 {
				t.Errorf("stored %d, counted %d", len(w.store.batches), w.batches(string(c.reason)))
			}
			log := w.log.String()
			if !strings.Contains(log, "audit=true") || !strings.Contains(log, c.audited) || !strings.Contains(log, "reason="+string(c.reason)) {
				t.Errorf("the log does not say %q: %s", c.audited, log)
			}
			if strings.Contains(log+answer.Body.String(), "secret-") || strings.Contains(log, c.token) {
				t.Errorf("the token is told: %s %s", log, answer.Body)
			}
		})
	}
}

// A batch that comes again is stored once, counted, and audited with its sender.
func TestReplayedBatchIsAudited(t *testing.T) {
	w := newClusterWorld(t, newTokenServer())
	for range 2 {
		r := request(body(t, header, edge("10.0.1.1", "10.0.2.1", isClient)))
		r.Header.Set("Authorization", "Bearer secret-good")
		if answer := w.post(r); answer.Code != http.StatusOK {
			t.Fatal(answer.Body)
		}
	}
	if w.batches("duplicate") != 1 || w.batches("stored") != 1 || w.notified != 1 {
		t.Errorf("duplicates %d, stored %d, told of %d", w.batches("duplicate"), w.batches("stored"), w.notified)
	}
	if log := w.log.String(); !strings.Contains(log, "a batch came again") || !strings.Contains(log, "pod netcinch/agent-1 on node n1") || !strings.Contains(log, "audit=true") {
		t.Errorf("log: %s", log)
	}
}

// While the API server cannot be asked an agent that it took a moment ago goes
// on, and another is told to try again, which keeps its batches in the spool.
func TestAnOutageOfTheAPIServerLosesNothing(t *testing.T) {
	s := newTokenServer()
	w := newClusterWorld(t, s)
	post := func(token string, sequence uint64) int {
		h := header
		h.Sequence = sequence
		r := request(body(t, h, edge("10.0.1.1", "10.0.2.1", isClient)))
		r.Header.Set("Authorization", "Bearer "+token)
		return w.post(r).Code
	}
	if code := post("secret-good", 1); code != http.StatusOK {
		t.Fatal(code)
	}
	s.down = true
	if code := post("secret-good", 2); code != http.StatusOK {
		t.Errorf("one that was taken: %d", code)
	}
	if code := post("secret-old-server", 3); code != http.StatusServiceUnavailable || wire.Permanent(code) {
		t.Errorf("one that was not: %d, want 503, which the agent repeats", code)
	}
}

// Wrong tokens of one address are not all brought to the API server, and one
// that is known to be right is taken all the same.
func TestWrongTokensAreLimited(t *testing.T) {
	s := newTokenServer()
	w := newClusterWorld(t, s)
	raw := body(t, header, edge("10.0.1.1", "10.0.2.1", isClient))
	post := func(token string) int {
		r := request(raw)
		r.Header.Set("Authorization", "Bearer "+token)
		return w.post(r).Code
	}
	if code := post("secret-good"); code != http.StatusOK {
		t.Fatal(code)
	}
	codes := map[int]int{}
	for i := range 100 {
		codes[post("secret-guess-"+strings.Repeat("x", i))]++
	}
	if codes[http.StatusUnauthorized] != 20 || codes[http.StatusServiceUnavailable] != 80 {
		t.Errorf("answers %v: want 20 judged, 80 put off", codes)
	}
	if code := post("secret-good"); code != http.StatusOK {
		t.Errorf("the right one afterwards: %d", code)
	}
	if lines := strings.Count(w.log.String(), "audit=true"); lines > 10 {
		t.Errorf("%d lines in the log", lines)
	}
}

func TestAnyOf(t *testing.T) {
	known, err := ParseTokens(strings.NewReader(tokens))
	if err != nil {
		t.Fatal(err)
	}
	accounts := &Accounts{
		Reviewer: auth.NewReviewer(newTokenServer(), func() time.Time { return t0 }), Audience: "netcinch", Namespace: "netcinch", Name: "netcinch-agent",
		NodeOf: func(string, string, string) (string, bool) { return "", false },
	}
	both := AnyOf{known, accounts}
	for token, want := range map[string]error{"secret-of-node-one": nil, "secret-good": nil, "secret-other": ErrForbidden, "secret-none-at-all": ErrUnauthenticated} {
		if _, err := both.Authenticate(t.Context(), token); !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", token, err, want)
		}
	}
}
