// SPDX-License-Identifier: Apache-2.0

package app

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// writePair writes a new certificate of the authority as a volume would: into a
// folder of its own, which a link then points to.
func writePair(t *testing.T, dir, name string, a *authority, now time.Time) (serial string) {
	t.Helper()
	issued, err := a.issue([]string{"localhost"}, now)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(issued.Certificate[0])
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalECPrivateKey(issued.PrivateKey.(*ecdsa.PrivateKey))
	if err != nil {
		t.Fatal(err)
	}
	folder := filepath.Join(dir, name)
	if err := os.Mkdir(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	for file, block := range map[string]*pem.Block{"tls.crt": {Type: "CERTIFICATE", Bytes: issued.Certificate[0]}, "tls.key": {Type: "EC PRIVATE KEY", Bytes: secret}} {
		if err := os.WriteFile(filepath.Join(folder, file), pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	point(t, dir, name)
	return leaf.SerialNumber.String()
}

// point lets the link that the server reads through point elsewhere, at once.
func point(t *testing.T, dir, name string) {
	t.Helper()
	if err := os.Symlink(name, filepath.Join(dir, "new")); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(filepath.Join(dir, "new"), filepath.Join(dir, "current")); err != nil {
		t.Fatal(err)
	}
}

// The agents' port shows a certificate that was renewed to the next who comes,
// without a restart, and goes on with the old one while the new is not whole.
func TestCertificateFilesAreReadAgain(t *testing.T) {
	dir, now := t.TempDir(), time.Now()
	a, err := openAuthority(t.TempDir(), now)
	if err != nil {
		t.Fatal(err)
	}
	first := writePair(t, dir, "first", a, now)
	var log bytes.Buffer
	config, err := ingestTLS(Options{
		TLSCert: filepath.Join(dir, "current", "tls.crt"), TLSKey: filepath.Join(dir, "current", "tls.key"), Log: slog.New(slog.NewTextHandler(&log, nil)),
	})
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(a.certificate)
	shown := func() string {
		t.Helper()
		here, there := net.Pipe()
		defer here.Close()
		defer there.Close()
		server := tls.Server(there, config)
		failed := make(chan error, 1)
		go func() { failed <- server.HandshakeContext(t.Context()) }()
		client := tls.Client(here, &tls.Config{ServerName: "localhost", RootCAs: roots})
		if err := client.HandshakeContext(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := <-failed; err != nil {
			t.Fatal(err)
		}
		return client.ConnectionState().PeerCertificates[0].SerialNumber.String()
	}
	if got := shown(); got != first {
		t.Errorf("at the start %s, want %s", got, first)
	}
	second := writePair(t, dir, "second", a, now)
	if got := shown(); got != second {
		t.Errorf("after the renewal %s, want %s", got, second)
	}
	if err := os.Mkdir(filepath.Join(dir, "half"), 0o700); err != nil {
		t.Fatal(err)
	}
	point(t, dir, "half")
	if got := shown(); got != second || !strings.Contains(log.String(), "cannot be read") {
		t.Errorf("with files that are missing %s, want %s; log: %s", got, second, log.String())
	}
	third := writePair(t, dir, "third", a, now)
	if got := shown(); got != third {
		t.Errorf("after the repair %s, want %s", got, third)
	}
}

func TestWhoMayComeInIsChecked(t *testing.T) {
	for _, c := range []struct {
		change func(*Options)
		want   string
	}{
		{func(o *Options) { o.People = "everybody" }, `--people "everybody": want token or kubernetes`},
		{func(o *Options) { o.AgentAccount = "agent" }, `--agent-service-account "agent": want NAMESPACE/NAME`},
		{func(o *Options) { o.AgentAccount = "a/b/c" }, "want NAMESPACE/NAME"},
		{func(o *Options) { o.AgentAccount, o.Flows = "a/b", []string{"f"} }, "--flows takes nothing from agents"},
		{func(o *Options) { o.AgentAccount, o.Kubeconfig = "a/b", "/nowhere/kubeconfig" }, "need an API server"},
		{func(o *Options) { o.People, o.Kubeconfig = PeopleKubernetes, "/nowhere/kubeconfig" }, "need an API server"},
	} {
		o := Options{DataDir: t.TempDir(), Manifests: []string{t.TempDir()}, Listen: "127.0.0.1:0", IngestListen: "127.0.0.1:0", Now: time.Now}
		c.change(&o)
		a, err := New(o)
		if err == nil {
			a.close()
			t.Errorf("%s: no error", c.want)
			continue
		}
		if !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v, want %s", err, c.want)
		}
	}
}
