// SPDX-License-Identifier: Apache-2.0

package control

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net/netip"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// keys are what an API server and its administrator prove themselves with.
type keys struct {
	dir                 string
	ca, admin, adminKey []byte
}

func (k *keys) path(name string) string { return filepath.Join(k.dir, name) }

type signer struct {
	certificate *x509.Certificate
	key         *ecdsa.PrivateKey
}

func newKeys(tb testing.TB, dir string) *keys {
	tb.Helper()
	k := &keys{dir: dir}
	ca := &x509.Certificate{Subject: pkix.Name{CommonName: "control"}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}
	caPEM, caKey := k.make(tb, ca, nil)
	root := &signer{parse(tb, caPEM), parseKey(tb, caKey)}
	server := &x509.Certificate{
		Subject: pkix.Name{CommonName: "kube-apiserver"}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}, KeyUsage: x509.KeyUsageDigitalSignature,
		DNSNames: []string{"localhost", "kubernetes.default.svc"},
	}
	server.IPAddresses = append(server.IPAddresses, netip.MustParseAddr("127.0.0.1").AsSlice())
	serverPEM, serverKey := k.make(tb, server, root)
	admin := &x509.Certificate{
		Subject: pkix.Name{CommonName: "admin", Organization: []string{"system:masters"}}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
		KeyUsage: x509.KeyUsageDigitalSignature,
	}
	k.ca = caPEM
	k.admin, k.adminKey = k.make(tb, admin, root)
	for name, text := range map[string][]byte{"ca.crt": caPEM, "server.crt": serverPEM, "server.key": serverKey} {
		if err := os.WriteFile(k.path(name), text, 0o600); err != nil {
			tb.Fatal(err)
		}
	}
	return k
}

// make signs a certificate with the root; without one it signs itself.
func (k *keys) make(tb testing.TB, template *x509.Certificate, root *signer) (certificate, secret []byte) {
	tb.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		tb.Fatal(err)
	}
	if template.SerialNumber, err = rand.Int(rand.Reader, big.NewInt(1<<62)); err != nil {
		tb.Fatal(err)
	}
	now := time.Now() //nolint:forbidigo // certificates of a process that looks at the real clock
	template.NotBefore, template.NotAfter = now.Add(-time.Hour), now.Add(24*time.Hour)
	if root == nil {
		root = &signer{template, key}
	}
	der, err := x509.CreateCertificate(rand.Reader, template, root.certificate, key.Public(), root.key)
	if err != nil {
		tb.Fatal(err)
	}
	text, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		tb.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: text})
}

func parse(tb testing.TB, text []byte) *x509.Certificate {
	tb.Helper()
	block, _ := pem.Decode(text)
	c, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		tb.Fatal(err)
	}
	return c
}

func parseKey(tb testing.TB, text []byte) *ecdsa.PrivateKey {
	tb.Helper()
	block, _ := pem.Decode(text)
	key, err := x509.ParseECPrivateKey(block.Bytes)
	if err != nil {
		tb.Fatal(err)
	}
	return key
}
