// SPDX-License-Identifier: Apache-2.0

package cli_test

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/netcinch/netcinch/recommender/cli"
)

// run starts serve; it gives what it prints first, and a function that ends it
// and gives its status.
func run(t *testing.T, args ...string) (firstLine string, end func() int) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	out, in := io.Pipe()
	var stderr bytes.Buffer
	status := make(chan int, 1)
	go func() {
		status <- cli.Run(ctx, cli.Env{
			Args: append([]string{"netcinch", "serve"}, args...), Stdin: strings.NewReader(""), Stdout: in, Stderr: &stderr,
			Getenv: func(string) string { return "" }, Now: time.Now,
		})
		in.Close()
	}()
	lines := bufio.NewScanner(out)
	if !lines.Scan() {
		cancel()
		t.Fatalf("serve printed nothing and ended with %d: %s", <-status, stderr.String())
	}
	go func() { _, _ = io.Copy(io.Discard, out) }()
	return lines.Text(), func() int {
		cancel()
		return <-status
	}
}

var shop = []string{"-f", "testdata/shop/manifests", "--flows", "testdata/shop/flows.jsonl", "--listen", "127.0.0.1:0"}

// The page comes from files alone; the link that is printed lets one in; an
// interrupt is a clean end.
func TestServeFiles(t *testing.T) {
	line, end := run(t, shop...)
	m := regexp.MustCompile(`^Page:   (http://127\.0\.0\.1:\d+)/#token=(\S+)$`).FindStringSubmatch(line)
	if m == nil {
		t.Fatalf("printed %q, want the page's address with a token", line)
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, m[1]+"/api/v1/status", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+m[2])
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	text, _ := io.ReadAll(resp.Body)
	resp.Body.Close()
	if resp.StatusCode != http.StatusOK || !strings.Contains(string(text), `"files"`) {
		t.Errorf("status: %s %s", resp.Status, text)
	}
	if status := end(); status != cli.StatusFine {
		t.Errorf("ended with status %d, want 0", status)
	}
}

// Whoever wrote the token file knows the token; it is not printed.
func TestServeKeepsTheToken(t *testing.T) {
	token := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(token, []byte("a-token-of-the-test-0123456789"), 0o600); err != nil {
		t.Fatal(err)
	}
	line, end := run(t, append(shop, "--token-file", token)...)
	defer end()
	if !strings.HasPrefix(line, "Page:   http://127.0.0.1:") || strings.Contains(line, "token") {
		t.Errorf("printed %q", line)
	}
}

const ordered = `apiVersion: v1
kind: Pod
metadata: {name: a, namespace: x, labels: {app: a}}
spec: {nodeName: n, containers: [{name: c, image: i}]}
status: {phase: Running, podIP: 10.9.0.1, podIPs: [{ip: 10.9.0.1}]}
---
apiVersion: v1
kind: Pod
metadata: {name: b, namespace: x, labels: {app: b}}
spec: {nodeName: n, containers: [{name: c, image: i}]}
status: {phase: Running, podIP: 10.9.0.2, podIPs: [{ip: 10.9.0.2}]}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: b, namespace: x}
spec: {podSelector: {matchLabels: {app: b}}, ingress: [{from: [{ipBlock: {cidr: 10.0.0.0/8}}]}]}
---
apiVersion: projectcalico.org/v3
kind: Tier
metadata: {name: early}
spec: {order: 10}
---
apiVersion: projectcalico.org/v3
kind: GlobalNetworkPolicy
metadata: {name: early.a}
spec: {tier: early, selector: app == 'a', types: [Ingress], ingress: [{action: Deny}]}
---
apiVersion: policy.networking.k8s.io/v1alpha1
kind: AdminNetworkPolicy
metadata: {name: a}
spec: {priority: 1, subject: {namespaces: {matchLabels: {kubernetes.io/metadata.name: x}}}, ingress: [{action: Allow, from: [{namespaces: {}}], ports: [{portNumber: {protocol: TCP, port: 80}}]}]}
`

// The flags that say how policies are read hold for a running recommender.
func TestServePolicyFlags(t *testing.T) {
	dir := t.TempDir()
	file, token := filepath.Join(dir, "ordered.yaml"), filepath.Join(dir, "token")
	for name, text := range map[string]string{file: ordered, token: "a-token-of-the-test-0123456789"} {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, tt := range []struct {
		name         string
		flags        []string
		order, block string // what of a and b is said
	}{
		{"as usual", nil, "DENIED", "ALLOWED"},
		{"upstream", []string{"--policy-order", "upstream"}, "ALLOWED", "ALLOWED"},
		{"blocks skip pods", []string{"--ipblock-skips-pods"}, "DENIED", "DENIED"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			line, end := run(t, append(append(shop, "-f", file, "--token-file", token), tt.flags...)...)
			defer end()
			server := strings.TrimSuffix(strings.TrimPrefix(line, "Page:   "), "/")
			ready(t, server)
			for _, q := range [][4]string{{"x/b", "x/a", "80", tt.order}, {"x/a", "x/b", "81", tt.block}} {
				_, stdout, stderr := netcinch(t, nil, "check", "--server", server, "--token-file", token, "--from", q[0], "--to", q[1], "--port", q[2])
				if !strings.HasPrefix(stdout, q[3]) {
					t.Errorf("%s to %s: %s%s, want %s", q[0], q[1], stdout, stderr, q[3])
				}
			}
		})
	}
}

// What cannot start says why in one line, and ends with status 2.
func TestServeRefusals(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	broken := filepath.Join(t.TempDir(), "broken.jsonl")
	if err := os.WriteFile(broken, []byte("{\"schema\":\"netcinch.flow/v1\"}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name string
		args []string
		want string
	}{
		{"taken port", append(shop[:4:4], "--listen", taken.Addr().String()), "listening for the page: " + taken.Addr().String() + ": address already in use; choose another address with --listen\n"},
		{"broken flows", append(shop[:2:2], "--flows", broken), broken + ":1: start: "},
		{"no manifests", []string{"-f", "nowhere", "--flows", shop[3], "--listen", "127.0.0.1:0"}, "nowhere: no such file or directory\n"},
		{"no folder", shop[:2], "--data-dir"},
		{"flows without manifests", shop[2:], "--flows needs -f"},
		{"half a certificate", append(shop[:6:6], "--tls-cert", "x"), "give both --tls-cert and --tls-key"},
		{"log level", append(shop[:6:6], "--log-level", "loud"), `--log-level "loud": want debug, info, warn or error`},
		{"no kubeconfig", []string{"--kubeconfig", "nowhere", "--data-dir", filepath.Join(t.TempDir(), "data"), "--listen", "127.0.0.1:0", "--ingest-listen", "127.0.0.1:0"}, "nowhere"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			status, stdout, stderr := netcinch(t, nil, append([]string{"serve"}, tt.args...)...)
			if status != cli.StatusInput || stdout != "" || !strings.Contains(stderr, tt.want) || strings.Count(stderr, "\n") != 1 {
				t.Errorf("status %d, stdout %q, stderr %q; want status 2 and one line with %q", status, stdout, stderr, tt.want)
			}
		})
	}
}
