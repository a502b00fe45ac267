// SPDX-License-Identifier: Apache-2.0

package app

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"
)

// How long what is made here is good for, and when it is made anew.
const (
	authorityAge   = 10 * 365 * 24 * time.Hour
	certificateAge = 90 * 24 * time.Hour
	renewBefore    = 30 * 24 * time.Hour
)

// authority signs the ingest port's certificate. Agents trust its ca.pem.
type authority struct {
	certificate *x509.Certificate
	key         *ecdsa.PrivateKey
}

// openAuthority reads ca.pem and ca.key of a folder, or makes them.
func openAuthority(dir string, now time.Time) (*authority, error) {
	certPath, keyPath := filepath.Join(dir, "ca.pem"), filepath.Join(dir, "ca.key")
	pair, err := tls.LoadX509KeyPair(certPath, keyPath)
	switch {
	case err == nil:
		key, ok := pair.PrivateKey.(*ecdsa.PrivateKey)
		if !ok {
			return nil, fmt.Errorf("reading the CA: %s is no EC key; remove ca.pem and ca.key to have new ones made", keyPath)
		}
		return &authority{certificate: pair.Leaf, key: key}, nil
	case errors.Is(err, fs.ErrNotExist):
		return makeAuthority(certPath, keyPath, now)
	default:
		return nil, fmt.Errorf("reading the CA in %s: %w; remove ca.pem and ca.key to have new ones made", dir, err)
	}
}

func makeAuthority(certPath, keyPath string, now time.Time) (*authority, error) {
	for _, path := range []string{certPath, keyPath} {
		if _, err := os.Stat(path); err == nil {
			return nil, fmt.Errorf("making a CA: %s is there without its other half; remove it to have both made anew", path)
		}
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("making a CA: %w", err)
	}
	template := &x509.Certificate{
		SerialNumber: serial(), Subject: pkix.Name{CommonName: "Netcinch ingest CA"},
		NotBefore: now.Add(-time.Hour), NotAfter: now.Add(authorityAge),
		IsCA: true, BasicConstraintsValid: true, MaxPathLenZero: true, KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, fmt.Errorf("making a CA: %w", err)
	}
	secret, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		return nil, fmt.Errorf("making a CA: %w", err)
	}
	if err = writePrivate(keyPath, pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: secret})); err != nil {
		return nil, err
	}
	if err = writePrivate(certPath, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})); err != nil {
		return nil, err
	}
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, fmt.Errorf("making a CA: %w", err)
	}
	return &authority{certificate: certificate, key: key}, nil
}

func serial() *big.Int {
	b := make([]byte, 16)
	rand.Read(b) // never fails, by its documentation
	return new(big.Int).SetBytes(b)
}

// issue makes a certificate for names and addresses.
func (a *authority) issue(names []string, now time.Time) (*tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("making a certificate: %w", err)
	}
	template := &x509.Certificate{
		SerialNumber: serial(), Subject: pkix.Name{CommonName: "netcinch"},
		NotBefore: now.Add(-time.Hour), NotAfter: now.Add(certificateAge),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	for _, name := range names {
		if addr, bad := netip.ParseAddr(name); bad == nil {
			template.IPAddresses = append(template.IPAddresses, addr.AsSlice())
		} else {
			template.DNSNames = append(template.DNSNames, name)
		}
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.certificate, key.Public(), a.key)
	if err != nil {
		return nil, fmt.Errorf("making a certificate: %w", err)
	}
	return &tls.Certificate{Certificate: [][]byte{der, a.certificate.Raw}, PrivateKey: key}, nil
}

// ingestTLS is how the ingest port speaks TLS: with the files that were given,
// read again when they change hands, or with certificates made here.
func ingestTLS(o Options) (*tls.Config, error) {
	config := &tls.Config{MinVersion: tls.VersionTLS12}
	if o.TLSCert != "" {
		files := &certificateFiles{cert: o.TLSCert, key: o.TLSKey, log: o.Log}
		if err := files.load(); err != nil {
			return nil, fmt.Errorf("reading --tls-cert %s and --tls-key %s: %w", o.TLSCert, o.TLSKey, err)
		}
		config.GetCertificate = func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return files.current(), nil }
		return config, nil
	}
	a, err := openAuthority(o.DataDir, o.Now())
	if err != nil {
		return nil, err
	}
	keeper := &certificates{authority: a, names: certificateNames(o), now: o.Now}
	config.GetCertificate = func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return keeper.current() }
	_, err = keeper.current()
	return config, err
}

// certificateNames are the names that agents may reach the port by.
func certificateNames(o Options) []string {
	names := append([]string{"localhost", "127.0.0.1", "::1", "netcinch", "netcinch.netcinch.svc"}, o.TLSNames...)
	if host, _, err := net.SplitHostPort(o.IngestListen); err == nil && host != "" {
		if addr, err := netip.ParseAddr(host); err != nil || !addr.IsUnspecified() {
			names = append(names, host)
		}
	}
	if host, err := os.Hostname(); err == nil && host != "" {
		names = append(names, host)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// certificates renews a certificate before it ends.
type certificates struct {
	authority *authority
	names     []string
	now       func() time.Time

	mu     sync.Mutex
	issued *tls.Certificate
	until  time.Time
}

func (c *certificates) current() (*tls.Certificate, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.now()
	if c.issued != nil && now.Before(c.until.Add(-renewBefore)) {
		return c.issued, nil
	}
	issued, err := c.authority.issue(c.names, now)
	if err != nil {
		return nil, err
	}
	c.issued, c.until = issued, now.Add(certificateAge)
	return issued, nil
}
