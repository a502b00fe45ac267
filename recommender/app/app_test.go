// SPDX-License-Identifier: Apache-2.0

package app_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/netcinch/netcinch/recommender/app"
	"github.com/netcinch/netcinch/recommender/wire"
)

const manifests = `
apiVersion: v1
kind: Node
metadata: {name: node-1}
status: {addresses: [{type: InternalIP, address: 192.0.2.1}]}
---
apiVersion: v1
kind: Pod
metadata: {name: web-1, namespace: shop, uid: u1, labels: {app: web}}
spec: {nodeName: node-1, containers: [{name: c}]}
status: {phase: Running, podIPs: [{ip: 10.0.0.1}, {ip: "fd00::1"}]}
---
apiVersion: v1
kind: Pod
metadata: {name: db-1, namespace: shop, uid: u2, labels: {app: db}}
spec: {nodeName: node-1, containers: [{name: c}]}
status: {phase: Running, podIPs: [{ip: 10.0.0.2}, {ip: "fd00::2"}]}
`

const policies = `
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: db, namespace: shop}
spec:
  podSelector: {matchLabels: {app: db}}
  ingress: [{from: [{podSelector: {matchLabels: {app: web}}}], ports: [{port: 5432}, {port: 8008}]}]
`

func write(t *testing.T, dir, name, text string) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// start runs a recommender until the test ends, or until stop is called.
func start(t *testing.T, o app.Options) (a *app.App, stop func()) {
	t.Helper()
	o.Listen, o.IngestListen, o.Now, o.Debounce = "127.0.0.1:0", "127.0.0.1:0", time.Now, time.Millisecond
	a, err := app.New(o)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- a.Run(ctx) }()
	stopped := false
	stop = func() {
		if stopped {
			return
		}
		stopped = true
		cancel()
		if err := <-done; err != nil {
			t.Errorf("stopping: %v", err)
		}
	}
	t.Cleanup(stop)
	return a, stop
}

// visitor speaks to the page as a script does.
type visitor struct {
	t     *testing.T
	base  string
	token string
}

func visit(t *testing.T, a *app.App) visitor {
	t.Helper()
	base, token, ok := strings.Cut(a.PageURL(), "/#token=")
	if !ok {
		t.Fatalf("the page's link is %q", a.PageURL())
	}
	return visitor{t, base, token}
}

func (v visitor) get(path string) (int, []byte) {
	v.t.Helper()
	r, err := http.NewRequestWithContext(v.t.Context(), http.MethodGet, v.base+path, nil)
	if err != nil {
		v.t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+v.token)
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		v.t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		v.t.Fatal(err)
	}
	return response.StatusCode, body
}

type edges struct {
	Meta  struct{ Version int }
	Items []struct {
		Client, Server struct{ Namespace, Name, IP string }
		Protocol       string
		Port           int
		Counters       struct{ Connections, BytesSent int }
		Verdict        struct{ State string }
	}
}

func (v visitor) edges() edges {
	v.t.Helper()
	status, body := v.get("/api/v1/edges")
	var e edges
	if status == http.StatusOK {
		if err := json.Unmarshal(body, &e); err != nil {
			v.t.Fatal(err)
		}
	}
	return e
}

// views gives a value for each view event of the stream.
func (v visitor) views() <-chan struct{} {
	v.t.Helper()
	r, err := http.NewRequestWithContext(v.t.Context(), http.MethodGet, v.base+"/api/v1/events", nil)
	if err != nil {
		v.t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+v.token)
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		v.t.Fatal(err)
	}
	v.t.Cleanup(func() { response.Body.Close() })
	out := make(chan struct{}, 64)
	go func() {
		defer close(out)
		for lines := bufio.NewScanner(response.Body); lines.Scan(); {
			if lines.Text() == "event: view" {
				out <- struct{}{}
			}
		}
	}()
	return out
}

// until waits for views until one is as wanted.
func until(t *testing.T, views <-chan struct{}, wanted func() bool) {
	t.Helper()
	for !wanted() {
		if _, ok := <-views; !ok {
			t.Fatal("the stream ended before what was waited for came")
		}
	}
}

const flows = `{"schema":"netcinch.flow/v1","start":"2026-03-01T00:00:00Z","end":"2026-03-01T01:00:00Z","client":{"namespace":"shop","pod":"web-1"},"server":{"namespace":"shop","pod":"db-1"},"protocol":"TCP","port":5432,"connections":5,"bytesSent":500,"bytesReceived":900,"packetsSent":5,"packetsReceived":9,"outcome":"established"}
{"schema":"netcinch.flow/v1","start":"2026-03-01T00:00:00Z","end":"2026-03-01T01:00:00Z","client":{"ip":"fd00::1"},"server":{"ip":"2001:db8::5"},"protocol":"TCP","port":443,"connections":2,"bytesSent":20,"bytesReceived":90,"packetsSent":5,"packetsReceived":9,"outcome":"established","colour":"red"}
`

func TestFromFiles(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "shop.yaml", manifests)
	file := write(t, t.TempDir(), "flows.jsonl", flows)
	a, _ := start(t, app.Options{Manifests: []string{dir}, Flows: []string{file}})
	if a.IngestURL() != "" {
		t.Errorf("there is an ingest port %s where all is read from files", a.IngestURL())
	}
	v := visit(t, a)
	views := v.views()
	until(t, views, func() bool { return len(v.edges().Items) == 2 })
	got := map[string]string{}
	for _, e := range v.edges().Items {
		got[fmt.Sprintf("%s/%s > %s%s %d", e.Client.Namespace, e.Client.Name, e.Server.Name, e.Server.IP, e.Port)] = fmt.Sprint(e.Counters.Connections, " ", e.Verdict.State)
	}
	if got["shop/web-1 > db-1 5432"] != "5 allowed" || got["shop/web-1 > 2001:db8::5 443"] != "2 allowed" {
		t.Errorf("edges %v", got)
	}
	if _, body := v.get("/api/v1/coverage"); !strings.Contains(string(body), `"field":"colour"`) {
		t.Errorf("the unknown field is not named: %s", body)
	}
	// Durations count back from the end of the file.
	if status, body := v.get("/api/v1/edges?from=-30m"); status != 200 || !strings.Contains(string(body), "5432") {
		t.Errorf("the last half hour: %d %s", status, body)
	}
	// The manifests are watched: a policy that appears is in force at once.
	write(t, dir, "policy.yaml", policies)
	until(t, views, func() bool {
		_, body := v.get("/api/v1/policies")
		return strings.Contains(string(body), `"portText":"TCP 8008"`)
	})
}

// batch sends what web-1 saw of db-1 in a window; it gives the status and the body.
func batch(t *testing.T, client *http.Client, a *app.App, token string, sequence uint64) (int, string) {
	t.Helper()
	return batchOf(t, client, a, token, "test", sequence, [][2]string{{"10.0.0.1", "10.0.0.2"}, {"fd00::1", "fd00::2"}})
}

// batchOf sends what web-1 of a cluster saw between addresses.
func batchOf(t *testing.T, client *http.Client, a *app.App, token, cluster string, sequence uint64, pairs [][2]string) (int, string) {
	t.Helper()
	now := time.Now().Truncate(time.Second)
	b := wire.NewBuilder(wire.Header{Cluster: cluster, Node: "node-1", Epoch: "e1", Sequence: sequence, Start: now.Add(-10 * time.Second), End: now})
	for _, ends := range pairs {
		err := b.Add(wire.Edge{
			EdgeKey: wire.EdgeKey{
				Pod: wire.PodKey{Namespace: "shop", Name: "web-1", UID: "u1"}, Local: netip.MustParseAddr(ends[0]), Remote: netip.MustParseAddr(ends[1]),
				Protocol: 6, Port: 5432, Flags: wire.EdgeFlag_EDGE_FLAG_LOCAL_IS_CLIENT,
			},
			Counts: wire.Counts{Connections: 3, BytesSent: 300, BytesReceived: 400, PacketsSent: 3, PacketsReceived: 4},
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	b.SetCoverage(&wire.Coverage{PodsKnown: 2, PodsWatched: 2, AttachMode: "tcx-pod"})
	body, err := wire.Encode(b.Batch())
	if err != nil {
		t.Fatal(err)
	}
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, a.IngestURL()+"/v1/flows", bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+token)
	r.Header.Set("Content-Type", wire.ContentType)
	r.Header.Set("Content-Encoding", wire.ContentEncoding)
	response, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(answer)
}

func trusting(t *testing.T, ca string) *http.Client {
	t.Helper()
	pem, err := os.ReadFile(ca)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(pem)
	return &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}, DisableKeepAlives: true}}
}

// Agents' batches become edges, live; a restart loses neither them nor the
// secrets that people and agents hold.
func TestLive(t *testing.T) {
	dir, data := t.TempDir(), filepath.Join(t.TempDir(), "data")
	write(t, dir, "shop.yaml", manifests+"---"+policies)
	o := app.Options{Manifests: []string{dir}, DataDir: data, Cluster: "test", Learning: time.Hour}
	a, stop := start(t, o)
	token, err := os.ReadFile(filepath.Join(data, "agent.token"))
	if err != nil {
		t.Fatal(err)
	}
	client := trusting(t, filepath.Join(data, "ca.pem"))
	v := visit(t, a)
	views := v.views()
	if status, _ := batch(t, client, a, "a-token-that-is-wrong", 1); status != http.StatusUnauthorized {
		t.Errorf("a batch with a wrong token: %d", status)
	}
	for range 2 { // the second is a retry
		if status, body := batch(t, client, a, strings.TrimSpace(string(token)), 1); status != http.StatusOK {
			t.Fatalf("a batch: %d %q", status, body)
		}
	}
	until(t, views, func() bool { return len(v.edges().Items) > 0 })
	check := func(v visitor) {
		t.Helper()
		e := v.edges().Items
		if len(e) != 1 || e[0].Server.Name != "db-1" || e[0].Counters.Connections != 6 || e[0].Counters.BytesSent != 600 || e[0].Verdict.State != "allowed" {
			t.Errorf("edges %+v: want one, of 6 connections over both families", e)
		}
	}
	check(v)
	if _, body := v.get("/api/v1/findings"); !strings.Contains(string(body), "8008") {
		t.Errorf("nobody uses port 8008, and no finding says so: %s", body)
	}
	if _, body := v.get("/metrics"); !strings.Contains(string(body), `netcinch_edges{cluster="test"} 1`) {
		t.Error("the metrics do not count the edge")
	}
	link := v.token
	stop()

	a, _ = start(t, o)
	v = visit(t, a)
	if v.token != link {
		t.Error("the page's token changed with a restart")
	}
	views = v.views()
	until(t, views, func() bool { return len(v.edges().Items) > 0 })
	check(v)
	if status, _ := batch(t, client, a, strings.TrimSpace(string(token)), 1); status != http.StatusOK {
		t.Errorf("after the restart the agent is refused: %d", status)
	}
	check(v)
}

// What cannot start says in one line what is wrong and what to do.
func TestRefusals(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "shop.yaml", manifests)
	good := write(t, t.TempDir(), "flows.jsonl", flows)
	broken := write(t, t.TempDir(), "broken.jsonl", flows+"{\"schema\":\n")
	short := write(t, t.TempDir(), "short.token", "abc\n")
	file := write(t, t.TempDir(), "file", "")
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	port := taken.Addr().String()
	for _, test := range []struct {
		name    string
		options app.Options
		want    []string
	}{
		{"no data folder", app.Options{Manifests: []string{dir}}, []string{"--data-dir"}},
		{"the page's port is taken", app.Options{Manifests: []string{dir}, Flows: []string{good}, Listen: port}, []string{port, "in use", "--listen"}},
		{"the agents' port is taken", app.Options{Manifests: []string{dir}, DataDir: t.TempDir(), IngestListen: port}, []string{port, "in use", "--ingest-listen"}},
		{"a data folder that is a file", app.Options{Manifests: []string{dir}, DataDir: file}, []string{"--data-dir", file}},
		{"manifests that are not there", app.Options{Manifests: []string{dir + "/gone"}, Flows: []string{good}}, []string{dir + "/gone"}},
		{"flows without manifests", app.Options{Flows: []string{good}}, []string{"--flows", "-f"}},
		{"flows that are not there", app.Options{Manifests: []string{dir}, Flows: []string{good + "x"}}, []string{good + "x"}},
		{"a broken line", app.Options{Manifests: []string{dir}, Flows: []string{broken}}, []string{broken + ":3"}},
		{"a short token", app.Options{Manifests: []string{dir}, Flows: []string{good}, TokenFile: short}, []string{short, "16"}},
		{"a token file that is not there", app.Options{Manifests: []string{dir}, Flows: []string{good}, TokenFile: file + "x"}, []string{file + "x does not exist", "leave --token-file out"}},
		{"a folder as flow file", app.Options{Manifests: []string{dir}, Flows: []string{dir}}, []string{dir + " is a folder; give the file in it"}},
		{"a data folder that takes no file", app.Options{Manifests: []string{dir}, DataDir: "/proc"}, []string{"writing /proc/page.token: no such file", "--data-dir"}},
		{"an address that is none", app.Options{Manifests: []string{dir}, Flows: []string{good}, Listen: "banana"}, []string{`"banana" is not host:port`, "127.0.0.1:8080 with --listen"}},
		{"agents' tokens that are not there", app.Options{Manifests: []string{dir}, DataDir: t.TempDir(), AgentTokenFile: file + "x"}, []string{file + "x"}},
		{"half a certificate", app.Options{Manifests: []string{dir}, DataDir: t.TempDir(), TLSCert: file}, []string{"--tls-key"}},
		{"a certificate that is none", app.Options{Manifests: []string{dir}, DataDir: t.TempDir(), TLSCert: file, TLSKey: file}, []string{"--tls-cert " + file}},
		{"no cluster to read", app.Options{DataDir: t.TempDir(), Kubeconfig: file + "x"}, []string{file + "x", "--kubeconfig"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			o := test.options
			o.Now = time.Now
			if o.Listen == "" {
				o.Listen = "127.0.0.1:0"
			}
			if o.IngestListen == "" {
				o.IngestListen = "127.0.0.1:0"
			}
			_, err := app.New(o)
			if err == nil {
				t.Fatal("it started")
			}
			for _, text := range test.want {
				if !strings.Contains(err.Error(), text) {
					t.Errorf("%q does not name %q", err, text)
				}
			}
			if strings.Contains(err.Error(), "\n") {
				t.Errorf("more than one line: %q", err)
			}
		})
	}
}
