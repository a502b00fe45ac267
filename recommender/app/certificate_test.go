// SPDX-License-Identifier: Apache-2.0

package app

import (
	"crypto/x509"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestAuthorityIsKept(t *testing.T) {
	dir, now := t.TempDir(), time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	first, err := openAuthority(dir, now)
	if err != nil {
		t.Fatal(err)
	}
	again, err := openAuthority(dir, now)
	if err != nil {
		t.Fatal(err)
	}
	if !first.certificate.Equal(again.certificate) || !first.key.Equal(again.key) {
		t.Error("the CA changed with a restart")
	}
	info, err := os.Stat(filepath.Join(dir, "ca.key"))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("ca.key has mode %v, want 0600 (%v)", info.Mode(), err)
	}
	if err := os.Remove(filepath.Join(dir, "ca.pem")); err != nil {
		t.Fatal(err)
	}
	if _, err := openAuthority(dir, now); err == nil || !strings.Contains(err.Error(), "ca.key") {
		t.Errorf("half a CA: %v; want an error that names ca.key", err)
	}
}

// A certificate is good for its names now, and is renewed before its end.
func TestCertificateIsRenewed(t *testing.T) {
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	a, err := openAuthority(t.TempDir(), now)
	if err != nil {
		t.Fatal(err)
	}
	c := &certificates{authority: a, names: []string{"localhost", "127.0.0.1", "::1"}, now: func() time.Time { return now }}
	roots := x509.NewCertPool()
	roots.AddCert(a.certificate)
	serials := map[string]bool{}
	for range 400 {
		issued, err := c.current()
		if err != nil {
			t.Fatal(err)
		}
		leaf, err := x509.ParseCertificate(issued.Certificate[0])
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range c.names {
			if _, err := leaf.Verify(x509.VerifyOptions{DNSName: name, Roots: roots, CurrentTime: now}); err != nil {
				t.Fatalf("on %s for %s: %v", now, name, err)
			}
		}
		serials[leaf.SerialNumber.String()] = true
		now = now.Add(24 * time.Hour)
	}
	if len(serials) < 5 || len(serials) > 10 {
		t.Errorf("%d certificates in 400 days; want a new one every 60", len(serials))
	}
}
