// SPDX-License-Identifier: Apache-2.0

package config

import (
	"crypto/tls"
	"crypto/x509"
	"net/url"
	"regexp"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

// http gives the fields of a server that is spoken to over HTTP.
func (l *loader) http(h *HTTP) fields {
	h.Timeout = DefaultTimeout
	return fields{
		"url":      l.url(h),
		"timeout":  l.duration(&h.Timeout, time.Second, 5*time.Minute),
		"tls":      l.tls(&h.TLS),
		"bearer":   l.secret(&h.Bearer),
		"username": l.text(&h.Username),
		"password": l.secret(&h.Password),
		"headers":  l.headers(h),
	}
}

// url reads an address, or the secret that holds one.
func (l *loader) url(h *HTTP) func(place) {
	return func(at place) {
		if at.node.Kind != yaml.MappingNode {
			if s, ok := l.scalar(at, "an address, or {file: PATH} or {env: NAME} that holds one"); ok {
				h.URL = l.address(at, s, false)
			}
			return
		}
		var s Secret
		l.secret(&s)(at)
		if s.Given() {
			h.URL, h.Secret = l.address(at, s.Reveal(), true), true
		}
	}
}

// address checks an address; that of a secret is not repeated in the problem.
func (l *loader) address(at place, s string, secret bool) *url.URL {
	shown := `"` + s + `"`
	if secret {
		shown = "the secret"
	}
	u, err := url.Parse(s)
	switch {
	case err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "":
		if err == nil && u.User != nil {
			shown = "the address"
		}
		l.fail(at, "%s is no address such as https://alerts.example.org/", shown)
	case u.User != nil:
		l.fail(at, "there is a user or a password in the address; write username and password beside it")
	case u.Fragment != "":
		l.fail(at, "%s has a part behind #, which is never sent; leave it out", shown)
	default:
		return u
	}
	return nil
}

func (l *loader) completeHTTP(h *HTTP, s *Sink, at place) {
	switch {
	case h.URL == nil:
		l.fail(at, "the sink %q has no url", s.Name)
	case h.Bearer.Given() && h.Username != "":
		l.fail(at, "give either bearer, or username and password")
	case (h.Username == "") == h.Password.Given():
		l.fail(at, "give both username and password, or neither")
	case h.URL.Scheme == "http" && h.TLS != nil:
		l.fail(at, "there is tls, but the url begins with http:; write https:")
	}
}

// headerName is what RFC 9110 calls a token.
var headerName = regexp.MustCompile("^[!#$%&'*+.^_`|~0-9A-Za-z-]+$")

// ownHeaders are set by us.
var ownHeaders = []string{"Content-Type", "Content-Length", "Host", "Authorization", "User-Agent", "Netcinch-Signature", "Transfer-Encoding", "Connection"}

func (l *loader) headers(h *HTTP) func(place) {
	return func(at place) {
		if at.node.Kind != yaml.MappingNode {
			l.fail(at, "want a mapping of names to values, found %s", at.is())
			return
		}
		for i := 0; i+1 < len(at.node.Content); i += 2 {
			key, value := at.node.Content[i], at.node.Content[i+1]
			here := at.field(key.Value, value)
			if !headerName.MatchString(key.Value) {
				l.fail(place{key, here.path}, "%q is no name of a header", key.Value)
				continue
			}
			for _, own := range ownHeaders {
				if strings.EqualFold(own, key.Value) {
					l.fail(place{key, here.path}, "this header is set by Netcinch itself; for Authorization write bearer, or username and password")
				}
			}
			l.header(h, here, key.Value)
		}
	}
}

func (l *loader) header(h *HTTP, at place, name string) {
	header := Header{Name: name}
	if at.node.Kind == yaml.MappingNode {
		l.secret(&header.Secret)(at)
	} else {
		l.text(&header.Value)(at)
	}
	if strings.ContainsFunc(header.Reveal(), func(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f }) {
		l.fail(at, "the value has characters that no header may have, such as a line's end")
		return
	}
	h.Headers = append(h.Headers, header)
}

// tls reads how a server is trusted, and who we are to it.
func (l *loader) tls(into **tls.Config) func(place) {
	return func(at place) {
		var ca, cert, key, name string
		var insecure bool
		var caAt, certAt place
		before := len(l.problems)
		l.mapping(at, fields{
			"ca":                 func(at place) { caAt = at; l.text(&ca)(at) },
			"cert":               func(at place) { certAt = at; l.text(&cert)(at) },
			"key":                l.text(&key),
			"serverName":         l.text(&name),
			"insecureSkipVerify": l.flag(&insecure),
		})
		if len(l.problems) > before {
			return
		}
		c := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: name, InsecureSkipVerify: insecure} //nolint:gosec // the person who writes it asks for it by its name
		if ca != "" {
			l.trust(c, caAt, ca)
		}
		if (cert == "") != (key == "") {
			l.fail(at, "give both cert and key, or neither")
		} else if cert != "" {
			l.identify(c, certAt, at, cert, key)
		}
		*into = c
	}
}

func (l *loader) trust(c *tls.Config, at place, path string) {
	text, ok := l.content(at, path)
	if !ok {
		return
	}
	c.RootCAs = x509.NewCertPool()
	if !c.RootCAs.AppendCertsFromPEM(text) {
		l.fail(at, "there is no certificate (PEM) in %s", path)
	}
}

func (l *loader) identify(c *tls.Config, at, whole place, cert, key string) {
	certText, ok := l.content(at, cert)
	keyText, okKey := l.content(whole.field("key", at.node), key)
	if !ok || !okKey {
		return
	}
	pair, err := tls.X509KeyPair(certText, keyText)
	if err != nil {
		l.fail(at, "%s and %s are no certificate with its key: %v", cert, key, err)
		return
	}
	c.Certificates = []tls.Certificate{pair}
}
