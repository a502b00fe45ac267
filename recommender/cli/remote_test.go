// SPDX-License-Identifier: Apache-2.0

package cli_test

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/netcinch/netcinch/recommender/analyze"
	"github.com/netcinch/netcinch/recommender/app"
	"github.com/netcinch/netcinch/recommender/cli"
)

// netcinch runs a command with an environment, and gives what it printed.
func netcinch(t *testing.T, env map[string]string, args ...string) (status int, stdout, stderr string) {
	t.Helper()
	var out, err bytes.Buffer
	status = cli.Run(t.Context(), cli.Env{
		Args: append([]string{"netcinch"}, args...), Stdin: strings.NewReader(""), Stdout: &out, Stderr: &err,
		Getenv: func(k string) string { return env[k] }, Now: func() time.Time { return clock },
	})
	return status, out.String(), err.String()
}

// ready waits until a recommender has computed its first view.
func ready(t *testing.T, server string) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); ; {
		resp, err := http.Get(server + "/readyz")
		if err == nil {
			resp.Body.Close()
			if resp.StatusCode == http.StatusOK {
				break
			}
		}
		if time.Now().After(deadline) {
			t.Fatalf("not ready after a minute: %v", err)
		}
	}
}

// serving runs a recommender on the shop's files; it gives the environment in
// which commands reach it.
func serving(t *testing.T) map[string]string {
	t.Helper()
	token := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(token, []byte("a-token-of-the-test-0123456789\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	a, err := app.New(app.Options{
		Manifests: []string{"testdata/shop/manifests"}, Flows: []string{"testdata/shop/flows.jsonl"},
		Listen: "127.0.0.1:0", TokenFile: token, Now: func() time.Time { return clock },
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- a.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			t.Errorf("the recommender ended with %v", err)
		}
	})
	server, _, _ := strings.Cut(a.PageURL(), "/#")
	ready(t, server)
	return map[string]string{"NETCINCH_SERVER": server, "NETCINCH_TOKEN": "a-token-of-the-test-0123456789"}
}

// A command gives the same answer from files and from a recommender on them.
func TestRemoteEqualsOffline(t *testing.T) {
	env := serving(t)
	files := []string{"-f", "testdata/shop/manifests", "--flows", "testdata/shop/flows.jsonl"}
	t.Run("graph", func(t *testing.T) {
		compare(t, env, files, []string{"graph", "-o", "json"}, func(text string) any {
			var r struct{ Edges []analyze.Edge }
			return sorted(t, text, &r, func() []string {
				var list []string
				for _, e := range r.Edges {
					list = append(list, e.ID+" "+e.Client.String()+" "+e.Server.String()+" "+string(e.Verdict.State)+" "+e.Last.String())
				}
				return list
			})
		})
	})
	t.Run("unused", func(t *testing.T) {
		compare(t, env, files, []string{"unused", "-o", "json"}, func(text string) any {
			var r struct {
				Findings []analyze.Finding
				Usage    []analyze.Usage
			}
			return sorted(t, text, &r, func() []string {
				var list []string
				for _, f := range r.Findings {
					list = append(list, f.ID+" "+f.Title)
				}
				for _, u := range r.Usage {
					list = append(list, u.ID+" "+string(u.State))
				}
				return list
			})
		})
	})
	t.Run("recommend", func(t *testing.T) {
		compare(t, env, files, []string{"recommend", "-o", "yaml"}, func(text string) any { return text })
	})
	t.Run("replay", func(t *testing.T) {
		policies := filepath.Join(t.TempDir(), "deny.yaml")
		text := "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: db, namespace: data}\nspec: {podSelector: {}}\n"
		if err := os.WriteFile(policies, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		compare(t, env, files, []string{"replay", "-p", policies}, func(text string) any { return text })
	})
	for name, args := range map[string][]string{
		"calico":       {"--format", "calico"},
		"trial":        {"--format", "calico-staged", "--default-deny"},
		"rails":        {"--format", "cluster"},
		"extra":        {"--allow-extra", "3", "--direction", "ingress", "-n", "shop"},
		"default deny": {"--default-deny", "-w", "data/db"},
	} {
		t.Run("recommend "+name, func(t *testing.T) {
			compare(t, env, files, append([]string{"recommend", "-o", "yaml"}, args...), func(text string) any { return text })
		})
	}
	t.Run("replay without", func(t *testing.T) {
		compare(t, env, files, []string{"replay", "--without", "data/db"}, func(text string) any { return text })
	})
	t.Run("replay against", func(t *testing.T) {
		compare(t, env, files, []string{"replay", "-p", "testdata/shop/manifests/policies.yaml", "--against", "testdata/shop/manifests/policies.yaml", "--only", "data/db", "--alone"}, func(text string) any { return text })
	})
	t.Run("check", func(t *testing.T) {
		compare(t, env, files[:2], []string{"check", "--from", "shop/cart", "--to", "data/db", "--port", "postgres"}, func(text string) any { return text })
	})
}

func compare(t *testing.T, env map[string]string, files, args []string, view func(string) any) {
	t.Helper()
	status, offline, stderr := netcinch(t, nil, append(args, files...)...)
	if status != cli.StatusFine {
		t.Fatalf("offline: status %d: %s", status, stderr)
	}
	status, remote, stderr := netcinch(t, env, args...)
	if status != cli.StatusFine {
		t.Fatalf("remote: status %d: %s", status, stderr)
	}
	if diff := cmp.Diff(view(offline), view(remote)); diff != "" {
		t.Errorf("(-offline +remote):\n%s", diff)
	}
}

// sorted reads JSON into a value and gives a set of lines made of it.
func sorted(t *testing.T, text string, into any, lines func() []string) map[string]bool {
	t.Helper()
	if err := json.Unmarshal([]byte(text), into); err != nil {
		t.Fatalf("%v in:\n%s", err, text)
	}
	set := map[string]bool{}
	for _, l := range lines() {
		set[l] = true
	}
	if len(set) == 0 {
		t.Error("there is nothing in the answer")
	}
	return set
}

// What a recommender refuses is one line that says what to do.
func TestRemoteRefusals(t *testing.T) {
	env := serving(t)
	wrongToken := map[string]string{"NETCINCH_SERVER": env["NETCINCH_SERVER"], "NETCINCH_TOKEN": "wrong"}
	stranger := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("<html>")) }))
	defer stranger.Close()
	broken := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) }))
	defer broken.Close()
	tests := []struct {
		name string
		env  map[string]string
		args []string
		want string
	}{
		{"token", wrongToken, []string{"graph"}, " does not know the token; give the one that netcinch serve printed with --token-file or $NETCINCH_TOKEN\n"},
		{"field", env, []string{"check", "--from", "shop/nobody", "--to", "data/db", "--port", "1"}, "netcinch: --from: "},
		{"time", env, []string{"graph", "--from", "yesterday"}, "netcinch: --from: "},
		{"stranger", env, []string{"graph", "--server", stranger.URL}, "is it a Netcinch recommender of this version?\n"},
		{"broken", env, []string{"unused", "--server", broken.URL}, " answers 502 Bad Gateway\n"},
		{"policies", env, []string{"replay", "-p", "testdata/shop/flows.jsonl"}, "is not a Kubernetes object"},
		{"strict", env, []string{"graph", "--strict", "--learning", "1h"}, "netcinch: --strict and --learning work on files only; give -f, or leave it out (a running recommender goes by the flags that it was started with)\n"},
		{"order", env, []string{"unused", "--policy-order", "calico"}, "netcinch: --policy-order works on files only; give -f"},
		{"fallback", env, []string{"recommend", "--default-namespace", "x"}, "netcinch: --default-namespace works on files only; give -f"},
		{"tier", env, []string{"recommend", "--format", "calico", "--tier", "nowhere"}, "there is no tier \"nowhere\" in the manifests; make it first"},
		{"without", env, []string{"replay", "--without", "shop/nobody"}, "netcinch: --without: there is no policy \"shop/nobody\"; there are data/db"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			status, stdout, stderr := netcinch(t, tt.env, tt.args...)
			if status != cli.StatusInput || stdout != "" || !strings.Contains(stderr, tt.want) {
				t.Errorf("status %d, stdout %q, stderr %q; want status 2 and %q", status, stdout, stderr, tt.want)
			}
		})
	}
}
