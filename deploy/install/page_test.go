// SPDX-License-Identifier: Apache-2.0

package install

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"github.com/netcinch/netcinch/recommender/app"
)

// A recommender on a real API server: nobody is let in by a token of its own,
// and each person sees their namespaces.
func (i *installed) testPage(t *testing.T) {
	a, err := app.New(app.Options{
		Kubeconfig: i.kubeconfig(t), DataDir: t.TempDir(), Listen: "127.0.0.1:0", IngestListen: "127.0.0.1:0", Now: time.Now,
		People: app.PeopleKubernetes, AgentAccount: "netcinch/netcinch-agent",
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- a.Run(ctx) }()
	defer func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	}()
	if strings.Contains(a.PageURL(), "token") {
		t.Errorf("a token of its own: %s", a.PageURL())
	}
	i.pod(t, "vault", "ledger-1", "default", "worker-1")
	viewer := i.account(t, "netcinch", "viewer", "netcinch", nil)
	ask := func(token, path string) (int, string) {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, a.PageAddress()+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		if token != "" {
			r.Header.Set("Authorization", "Bearer "+token)
		}
		answer, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer answer.Body.Close()
		text, err := io.ReadAll(answer.Body)
		if err != nil {
			t.Fatal(err)
		}
		return answer.StatusCode, string(text)
	}
	admin := i.account(t, "netcinch", "netcinch", "netcinch", nil) // the recommender's own account sees all that it reads
	deadline := time.Now().Add(time.Minute)
	for {
		if _, text := ask(admin, "/api/v1/workloads"); strings.Contains(text, "ledger-1") {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("the pod of vault is never shown to who may see it")
		}
		<-time.After(100 * time.Millisecond)
	}
	for token, want := range map[string]int{"": 401, "guess": 401, i.account(t, "netcinch", "nobody", "", nil): 403, viewer: 200} {
		code, text := ask(token, "/api/v1/workloads")
		if code != want || strings.Contains(text, "ledger-1") {
			t.Errorf("%d %s, want %d without the pod of vault", code, text, want)
		}
	}
	code, text := ask(viewer, "/api/v1/status")
	var status struct{ Totals struct{ Namespaces int } }
	if err := json.Unmarshal([]byte(text), &status); err != nil || code != http.StatusOK || status.Totals.Namespaces != 1 {
		t.Errorf("the viewer of shop: %d %s", code, text)
	}
}

// kubeconfig writes the recommender's: the administrator's, for nothing is
// tested of its rights here.
func (i *installed) kubeconfig(t *testing.T) string {
	t.Helper()
	c := clientcmdapi.NewConfig()
	admin := i.plane.Admin
	c.Clusters["c"] = &clientcmdapi.Cluster{Server: admin.Host, CertificateAuthorityData: admin.CAData}
	c.AuthInfos["u"] = &clientcmdapi.AuthInfo{ClientCertificateData: admin.CertData, ClientKeyData: admin.KeyData}
	c.Contexts["x"] = &clientcmdapi.Context{Cluster: "c", AuthInfo: "u"}
	c.CurrentContext = "x"
	path := filepath.Join(t.TempDir(), "kubeconfig")
	if err := clientcmd.WriteToFile(*c, path); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(path); err != nil {
		t.Fatal(err)
	}
	return path
}
