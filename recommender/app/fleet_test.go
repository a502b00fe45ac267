// SPDX-License-Identifier: Apache-2.0

package app_test

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/netcinch/netcinch/recommender/app"
)

const away = `
apiVersion: v1
kind: Namespace
metadata: {name: far}
---
apiVersion: v1
kind: Pod
metadata: {name: cache-1, namespace: far, uid: u9}
spec: {nodeName: node-9, containers: [{name: c, image: i}]}
status: {phase: Running, podIP: 10.9.0.1, podIPs: [{ip: 10.9.0.1}, {ip: 'fd09::1'}]}
`

// TestFleet has two clusters report to one recommender. Each has a token of its
// own, and sees its own edges; an edge between them names the other's workload.
func TestFleet(t *testing.T) {
	here, there, data := t.TempDir(), t.TempDir(), filepath.Join(t.TempDir(), "data")
	write(t, here, "shop.yaml", manifests+"---"+policies)
	write(t, there, "far.yaml", away)
	o := app.Options{Manifests: []string{here}, DataDir: data, Cluster: "test", More: []app.Cluster{{Name: "prod", Manifests: []string{there}}}}
	a, _ := start(t, o)
	text, err := os.ReadFile(filepath.Join(data, "agent.token"))
	if err != nil {
		t.Fatal(err)
	}
	tokens := map[string]string{}
	for line := range strings.Lines(string(text)) {
		token, cluster, _ := strings.Cut(strings.TrimSpace(line), " cluster=")
		tokens[cluster] = token
	}
	if len(tokens) != 2 || tokens["test"] == tokens["prod"] {
		t.Fatalf("agent.token has tokens of %d clusters, want two", len(tokens))
	}
	client := trusting(t, filepath.Join(data, "ca.pem"))
	across := [][2]string{{"10.0.0.1", "10.9.0.1"}, {"fd00::1", "fd09::1"}}
	for _, c := range []struct {
		token, cluster string
		want           int
	}{{"prod", "test", http.StatusForbidden}, {"test", "prod", http.StatusForbidden}, {"test", "other", http.StatusUnprocessableEntity}, {"test", "test", http.StatusOK}} {
		if status, body := batchOf(t, client, a, tokens[c.token], c.cluster, 1, across); status != c.want {
			t.Errorf("as %s with %s's token: %d %s, want %d", c.cluster, c.token, status, body, c.want)
		}
	}
	v := visit(t, a)
	views := v.views()
	until(t, views, func() bool { return len(v.edges().Items) > 0 })
	if _, body := v.get("/api/v1/edges?cluster=test"); !strings.Contains(string(body), "10.9.0.1") {
		t.Errorf("edges of test: %s", body)
	}
	if status, body := v.get("/api/v1/edges?cluster=prod"); status != http.StatusOK || strings.Contains(string(body), "10.9.0.1") || !strings.Contains(string(body), `"cluster":"prod"`) {
		t.Errorf("edges of prod: %d %s", status, body)
	}
	if status, body := v.get("/api/v1/edges?cluster=x"); status != http.StatusBadRequest || !strings.Contains(string(body), "test, prod") {
		t.Errorf("edges of a cluster that is not there: %d %s", status, body)
	}
	if _, body := v.get("/api/v1/status?cluster=prod"); !strings.Contains(string(body), `"clusters":["test","prod"]`) || !strings.Contains(string(body), `"cluster":"prod"`) {
		t.Errorf("status of prod: %s", body)
	}
}

// TestFleetRefusals wants tokens and names that tell the clusters apart.
func TestFleetRefusals(t *testing.T) {
	here := t.TempDir()
	write(t, here, "shop.yaml", manifests)
	one := app.Cluster{Name: "prod", Manifests: []string{here}}
	token := write(t, t.TempDir(), "tokens", "a-token-for-all-clusters\n")
	for _, c := range []struct {
		name string
		o    app.Options
		want string
	}{
		{"a token without a cluster", app.Options{DataDir: t.TempDir(), AgentTokenFile: token, More: []app.Cluster{one}}, "token of line 1 names no cluster"},
		{"the same name", app.Options{DataDir: t.TempDir(), Cluster: "prod", More: []app.Cluster{one}}, "--cluster prod is given twice"},
		{"a name with a blank", app.Options{DataDir: t.TempDir(), Cluster: "my cluster"}, "want a name without blanks"},
		{"flow files", app.Options{Flows: []string{token}, More: []app.Cluster{one}}, "--flows shows one cluster"},
	} {
		c.o.Manifests, c.o.Now, c.o.Listen, c.o.IngestListen = []string{here}, time.Now, "127.0.0.1:0", "127.0.0.1:0"
		if a, err := app.New(c.o); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, %v; want …%s…", c.name, a, err, c.want)
		}
	}
}
