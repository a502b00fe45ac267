// SPDX-License-Identifier: Apache-2.0

// Package control runs a Kubernetes API server with its etcd for a test: the
// real thing, on loopback, without nodes. What it takes are two binaries in
// $NETCINCH_LAB/bin; where they are missing the test is skipped, and says so.
package control

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
)

// HomeVar names the folder of the binaries: etcd and kube-apiserver in its bin.
const HomeVar = "NETCINCH_LAB"

// startWithin is enough on a loaded machine.
const startWithin = 2 * time.Minute

// Plane is a running API server.
type Plane struct {
	Admin *rest.Config // of system:masters
}

// As gives the configuration of somebody else, who is what the API server says.
func (p *Plane) As(user string, groups ...string) *rest.Config {
	c := rest.CopyConfig(p.Admin)
	c.Impersonate = rest.ImpersonationConfig{UserName: user, Groups: groups}
	return c
}

// Start runs an API server until the test ends.
func Start(tb testing.TB) *Plane {
	tb.Helper()
	bin := binaries(tb)
	dir := tb.TempDir()
	keys := newKeys(tb, dir)
	etcd, peer, port := freePort(tb), freePort(tb), freePort(tb)
	store := "http://127.0.0.1:" + strconv.Itoa(etcd)
	beside := "http://127.0.0.1:" + strconv.Itoa(peer)
	run(tb, dir, filepath.Join(bin, "etcd"),
		"--name=m", "--data-dir="+filepath.Join(dir, "etcd"), "--unsafe-no-fsync", "--listen-client-urls="+store, "--advertise-client-urls="+store,
		"--listen-peer-urls="+beside, "--initial-advertise-peer-urls="+beside, "--initial-cluster=m="+beside)
	run(tb, dir, filepath.Join(bin, "kube-apiserver"),
		"--etcd-servers="+store, "--bind-address=127.0.0.1", "--endpoint-reconciler-type=none", "--secure-port="+strconv.Itoa(port),
		"--service-cluster-ip-range=10.96.0.0/16", "--authorization-mode=RBAC", "--disable-admission-plugins=ServiceAccount", "--allow-privileged=true",
		"--client-ca-file="+keys.path("ca.crt"), "--tls-cert-file="+keys.path("server.crt"), "--tls-private-key-file="+keys.path("server.key"),
		"--service-account-key-file="+keys.path("server.key"), "--service-account-signing-key-file="+keys.path("server.key"),
		"--service-account-issuer=https://kubernetes.default.svc", "--cert-dir="+dir)
	p := &Plane{Admin: &rest.Config{
		Host: "https://127.0.0.1:" + strconv.Itoa(port), QPS: 200, Burst: 400,
		TLSClientConfig: rest.TLSClientConfig{CAData: keys.ca, CertData: keys.admin, KeyData: keys.adminKey},
	}}
	p.wait(tb, dir)
	return p
}

func binaries(tb testing.TB) string {
	tb.Helper()
	home := os.Getenv(HomeVar)
	if home == "" {
		tb.Skipf("no API server to test with: give the folder of etcd and kube-apiserver (in its bin) in $%s", HomeVar)
	}
	for _, name := range []string{"etcd", "kube-apiserver"} {
		if _, err := os.Stat(filepath.Join(home, "bin", name)); err != nil {
			tb.Skipf("no API server to test with: %v", err)
		}
	}
	return filepath.Join(home, "bin")
}

// run starts a program that is ended with the test, before its folder goes.
func run(tb testing.TB, dir, program string, args ...string) {
	tb.Helper()
	log, err := os.Create(filepath.Join(dir, filepath.Base(program)+".log"))
	if err != nil {
		tb.Fatal(err)
	}
	c := exec.CommandContext(tb.Context(), program, args...)
	c.Stdout, c.Stderr, c.Dir = log, log, dir
	if err := c.Start(); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		_ = c.Process.Kill() // it may have ended by itself
		_ = c.Wait()
		_ = log.Close()
	})
}

// wait returns when the API server is ready and has its default namespace.
func (p *Plane) wait(tb testing.TB, dir string) {
	tb.Helper()
	client, err := kubernetes.NewForConfig(p.Admin)
	if err != nil {
		tb.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(tb.Context(), startWithin)
	defer cancel()
	for {
		code := 0
		answer := client.Discovery().RESTClient().Get().AbsPath("/readyz").Do(ctx).StatusCode(&code)
		if answer.Error() == nil && code == http.StatusOK {
			return
		}
		select {
		case <-ctx.Done():
			text, _ := os.ReadFile(filepath.Join(dir, "kube-apiserver.log"))
			tb.Fatalf("the API server is not ready: %v\n%s", answer.Error(), tail(text))
		case <-time.After(100 * time.Millisecond):
		}
	}
}

func tail(text []byte) []byte { return text[max(0, len(text)-2000):] }

func freePort(tb testing.TB) int {
	tb.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	defer l.Close()
	_, text, err := net.SplitHostPort(l.Addr().String())
	if err != nil {
		tb.Fatal(err)
	}
	port, err := strconv.Atoi(text)
	if err != nil {
		tb.Fatal(fmt.Errorf("reading a port: %w", err))
	}
	return port
}
