// SPDX-License-Identifier: Apache-2.0

package sink

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/netcinch/netcinch/recommender/alert/deliver/config"
)

// maxWait bounds what a server may ask for with Retry-After.
const maxWait = time.Hour

// maxAnswer bounds how much of an answer is read, and quoted how much of it an
// error repeats, in bytes.
const (
	maxAnswer = 64 << 10
	quoted    = 200
)

// client speaks HTTP to one server.
type client struct {
	http    *http.Client
	config  *config.HTTP
	agent   string
	now     Clock
	dial    func(ctx context.Context, network, address string) (net.Conn, error)
	tls     *tls.Config
	replace *strings.Replacer
}

// errElsewhere stops a redirection: what is sent, and who sends it, is meant
// for one server.
var errElsewhere = errors.New("redirected")

func newClient(c *config.HTTP, o Options) *client {
	t := http.DefaultTransport.(*http.Transport).Clone() //nolint:forcetypeassert // the standard library says so
	if c.TLS != nil {
		t.TLSClientConfig = c.TLS.Clone()
	}
	t.MaxIdleConnsPerHost, t.IdleConnTimeout = 1, time.Minute
	h := &http.Client{Transport: t, Timeout: c.Timeout, CheckRedirect: func(*http.Request, []*http.Request) error { return errElsewhere }}
	if o.Transport != nil {
		h.Transport = o.Transport
	}
	return &client{http: h, config: c, agent: "netcinch/" + o.Release, now: o.Now, dial: (&net.Dialer{}).DialContext, tls: c.TLS, replace: replacer(c)}
}

// replacer takes everything that is secret out of a text: servers repeat in
// their answers what they were sent.
func replacer(c *config.HTTP) *strings.Replacer {
	var pairs []string
	hide := func(s string) {
		if len(s) <= 2 {
			return
		}
		pairs = append(pairs, s, "<secret>")
		for _, written := range []string{url.QueryEscape(s), url.PathEscape(s), inQuotes(s)} {
			if written != s {
				pairs = append(pairs, written, "<secret>")
			}
		}
	}
	hide(c.Bearer.Reveal())
	hide(c.Password.Reveal())
	if c.Username != "" {
		hide(base64.StdEncoding.EncodeToString([]byte(c.Username + ":" + c.Password.Reveal())))
	}
	for _, h := range c.Headers {
		hide(h.Secret.Reveal())
	}
	if c.Secret {
		hide(c.URL.String())
		hide(strings.Trim(c.URL.RequestURI(), "/"))
		for part := range strings.SplitSeq(c.URL.Path, "/") {
			if len(part) > 7 {
				hide(part)
			}
		}
	}
	hide(c.URL.RawQuery)
	return strings.NewReplacer(pairs...)
}

// inQuotes is a text as it stands between the quotes of JSON or Go.
func inQuotes(s string) string {
	q := strconv.Quote(s)
	return q[1 : len(q)-1]
}

// post sends a body. Statuses that another try would not change are refusals.
func (c *client) post(ctx context.Context, u *url.URL, kind string, body []byte, more http.Header) error {
	answer, err := c.do(ctx, http.MethodPost, u, kind, body, more)
	if err != nil {
		return err
	}
	return c.judge(answer)
}

type answer struct {
	status int
	header http.Header
	text   string
}

func (c *client) do(ctx context.Context, method string, u *url.URL, kind string, body []byte, more http.Header) (*answer, error) {
	r, err := http.NewRequestWithContext(ctx, method, u.String(), bytes.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("asking %s: the address is wrong", c.config.Target())
	}
	maps.Copy(r.Header, more)
	c.header(r.Header, kind)
	if c.config.Username != "" {
		r.SetBasicAuth(c.config.Username, c.config.Password.Reveal())
	}
	response, err := c.http.Do(r)
	if err != nil {
		return nil, c.cannot(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer))
	if err != nil && response.StatusCode/100 != 2 {
		text = nil // the status says enough
	}
	return &answer{response.StatusCode, response.Header, string(text)}, nil
}

func (c *client) header(h http.Header, kind string) {
	for _, one := range c.config.Headers {
		h.Set(one.Name, one.Reveal())
	}
	h.Set("User-Agent", c.agent)
	if kind != "" {
		h.Set("Content-Type", kind)
	}
	if c.config.Bearer.Given() {
		h.Set("Authorization", "Bearer "+c.config.Bearer.Reveal())
	}
}

// cannot says why there is no answer, without the address's path and query.
func (c *client) cannot(err error) error {
	if errors.Is(err, errElsewhere) {
		return fmt.Errorf("%s sends us to another address (a redirection); write that one as url", c.config.Target())
	}
	if ue, ok := errors.AsType[*url.Error](err); ok {
		if ue.Timeout() {
			return fmt.Errorf("%s did not answer within %v", c.config.Target(), c.config.Timeout)
		}
		err = ue.Err
	}
	return fmt.Errorf("%s cannot be reached: %s", c.config.Target(), c.replace.Replace(err.Error()))
}

// judge says what a status means: whether it was taken, is refused for good, or
// may be taken later. Rights and addresses can be put right at the receiver:
// those are tried again, so that nothing is lost meanwhile.
func (c *client) judge(a *answer) error {
	text := c.said(a)
	switch {
	case a.status/100 == 2:
		return nil
	case a.status == http.StatusBadRequest || a.status == http.StatusRequestEntityTooLarge ||
		a.status == http.StatusUnsupportedMediaType || a.status == http.StatusUnprocessableEntity:
		return &RefusedError{Reason: text}
	}
	err := errors.New(text)
	if wait := c.retryAfter(a.header.Get("Retry-After")); wait > 0 {
		return &waitError{err, wait}
	}
	return err
}

// said gives status and beginning of an answer.
func (c *client) said(a *answer) string {
	text := fmt.Sprintf("%s answers %d %s", c.config.Target(), a.status, http.StatusText(a.status))
	said := strings.Join(strings.Fields(c.replace.Replace(a.text)), " ")
	if len(said) > quoted {
		said = strings.ToValidUTF8(said[:quoted], "") + "…"
	}
	if said == "" || strings.HasPrefix(said, "<") { // a page for people
		return text
	}
	return text + ": " + said
}

// retryAfter reads RFC 9110's Retry-After: seconds, or a date.
func (c *client) retryAfter(s string) time.Duration {
	if seconds, err := strconv.Atoi(s); err == nil {
		return min(maxWait, max(0, time.Duration(min(seconds, int(maxWait/time.Second)))*time.Second))
	}
	if at, err := http.ParseTime(s); err == nil {
		return min(maxWait, max(0, at.Sub(c.now())))
	}
	return 0
}

// connect looks whether the server takes connections, and has the certificate
// that it should.
func (c *client) connect(ctx context.Context) error {
	if c.http.Transport != nil {
		if _, own := c.http.Transport.(*http.Transport); !own {
			return nil // a test stands in for the network
		}
	}
	if proxy, err := http.ProxyFromEnvironment(&http.Request{URL: c.config.URL}); err == nil && proxy != nil {
		return nil // who sits behind a proxy is seen when something is sent
	}
	ctx, cancel := context.WithTimeout(ctx, c.config.Timeout)
	defer cancel()
	host, port := c.config.URL.Hostname(), c.config.URL.Port()
	if port == "" {
		port = c.config.URL.Scheme
	}
	conn, err := c.dial(ctx, "tcp", net.JoinHostPort(host, port))
	if err != nil {
		return c.cannot(err)
	}
	if c.config.URL.Scheme == "https" {
		conn, err = shake(ctx, conn, c.tls, host)
		if err != nil {
			return c.cannot(err)
		}
	}
	return conn.Close()
}

// shake speaks TLS on a connection; it closes the connection where that fails.
func shake(ctx context.Context, conn net.Conn, c *tls.Config, host string) (net.Conn, error) {
	if c == nil {
		c = &tls.Config{MinVersion: tls.VersionTLS12}
	}
	if c.ServerName == "" {
		c = c.Clone()
		c.ServerName = host
	}
	t := tls.Client(conn, c)
	if err := t.HandshakeContext(ctx); err != nil {
		return nil, errors.Join(err, quietClose(conn))
	}
	return t, nil
}

func quietClose(c net.Conn) error {
	if err := c.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
		return err
	}
	return nil
}
