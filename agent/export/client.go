// SPDX-License-Identifier: Apache-2.0

package export

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/netcinch/netcinch/recommender/wire"
)

// maxAnswer is how much of an answer is read.
const maxAnswer = 64 << 10

// client posts bodies. It belongs to one goroutine.
type client struct {
	url       string
	caFile    string
	tokenFile string
	timeout   time.Duration

	http *http.Client
	ca   caVersion // what http was made from
}

type caVersion struct {
	modified time.Time
	size     int64
}

// refusal is an answer that is not an Ack.
type refusal struct {
	status     int
	problem    wire.Problem
	retryAfter time.Duration
}

// Error gives what a person needs: status, and the recommender's own words.
func (r *refusal) Error() string {
	detail := r.problem.Detail
	if detail == "" {
		detail = http.StatusText(r.status)
	}
	s := fmt.Sprintf("the recommender answered %d: %s", r.status, detail)
	switch r.status {
	case http.StatusUnauthorized, http.StatusForbidden:
		s += " (check --token-file, --node and --cluster)"
	case http.StatusNotFound:
		s += " (is --server the ingest port?)"
	}
	return s
}

func (c *client) post(ctx context.Context, n name, body []byte) error {
	if err := c.refresh(); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.url, bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("making a request: %w", err)
	}
	req.Header.Set("Content-Type", wire.ContentType)
	req.Header.Set("Content-Encoding", wire.ContentEncoding)
	if err = c.authorize(req); err != nil {
		return err
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return fmt.Errorf("sending a batch: %w", err)
	}
	defer func() { _ = resp.Body.Close() }() // what matters was read
	answer, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return fmt.Errorf("reading the recommender's answer: %w", err)
	}
	if resp.StatusCode != http.StatusOK {
		return refused(resp, answer)
	}
	var ack wire.Ack
	if err := proto.Unmarshal(answer, &ack); err != nil {
		return fmt.Errorf("reading the recommender's acknowledgement: %w", err)
	}
	if ack.GetEpoch() != n.epoch || ack.GetSequence() != n.sequence {
		return fmt.Errorf("the recommender acknowledged batch %d of epoch %q, not %d of %q", ack.GetSequence(), ack.GetEpoch(), n.sequence, n.epoch)
	}
	return nil
}

func refused(resp *http.Response, answer []byte) error {
	r := &refusal{status: resp.StatusCode}
	if strings.HasPrefix(resp.Header.Get("Content-Type"), wire.ProblemType) {
		_ = json.Unmarshal(answer, &r.problem) // without it the status stands alone
	}
	if s, err := strconv.Atoi(resp.Header.Get("Retry-After")); err == nil && s > 0 {
		r.retryAfter = time.Duration(min(s, 300)) * time.Second
	}
	return r
}

func (c *client) authorize(req *http.Request) error {
	if c.tokenFile == "" {
		return nil
	}
	token, err := readToken(c.tokenFile)
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+token)
	return nil
}

func readToken(path string) (string, error) {
	file, err := os.ReadFile(path)
	if err != nil {
		return "", fmt.Errorf("reading the token (--token-file): %w", err)
	}
	token := strings.TrimSpace(string(file))
	if token == "" || strings.ContainsAny(token, "\r\n") {
		return "", fmt.Errorf("reading the token (--token-file): %s does not hold one line of text", path)
	}
	return token, nil
}

// refresh makes the HTTP client, again whenever the CA file has changed.
func (c *client) refresh() error {
	version, err := c.caOnDisk()
	if err != nil {
		return err
	}
	if c.http != nil && version == c.ca {
		return nil
	}
	config := &tls.Config{MinVersion: tls.VersionTLS13}
	if c.caFile != "" {
		if config.RootCAs, err = readCAs(c.caFile); err != nil {
			return err
		}
	}
	c.close()
	c.ca = version
	c.http = &http.Client{
		Transport: &http.Transport{
			TLSClientConfig: config, ForceAttemptHTTP2: true, Proxy: http.ProxyFromEnvironment,
			MaxIdleConns: 1, IdleConnTimeout: 2 * time.Minute, TLSHandshakeTimeout: 10 * time.Second,
		},
		// A redirect would carry the token elsewhere.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return nil
}

func (c *client) caOnDisk() (caVersion, error) {
	if c.caFile == "" {
		return caVersion{}, nil
	}
	info, err := os.Stat(c.caFile)
	if err != nil {
		return caVersion{}, fmt.Errorf("reading the CA certificates (--ca-file): %w", err)
	}
	return versionOf(info), nil
}

func versionOf(info fs.FileInfo) caVersion { return caVersion{info.ModTime(), info.Size()} }

func readCAs(path string) (*x509.CertPool, error) {
	pem, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("reading the CA certificates (--ca-file): %w", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("reading the CA certificates (--ca-file): %s holds no PEM certificate", path)
	}
	return pool, nil
}

func (c *client) close() {
	if c.http != nil {
		c.http.CloseIdleConnections()
	}
}
