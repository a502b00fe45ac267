// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/netcinch/netcinch/recommender/question"
)

// remote is how a running recommender is reached.
type remote struct {
	server    string
	tokenFile string
	kubeToken string // kubeconfig
	cluster   string
}

// defaultServer is where serve listens unless it is told otherwise.
const defaultServer = "http://127.0.0.1:8080"

func (r *remote) flags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&r.server, "server", "", "recommender to ask where no files are given (default $NETCINCH_SERVER, else "+defaultServer+")")
	f.StringVar(&r.tokenFile, "token-file", "", "file with the token for --server (default: the value of $NETCINCH_TOKEN)")
	f.StringVar(&r.kubeToken, "token-kubeconfig", "", "kubeconfig whose user's token to send to --server, over https or to this machine only (default: none)")
	f.StringVar(&r.cluster, "cluster", "", "name of the cluster at --server (default: its own)")
}

// client talks to a recommender's API.
type client struct {
	base    string
	token   string
	cluster string
	http    *http.Client
}

// answerTimeout bounds one request; the largest answer is some megabytes.
const answerTimeout = 2 * time.Minute

func (r *remote) client(env *Env) (*client, error) {
	base := r.server
	if base == "" {
		base = env.Getenv("NETCINCH_SERVER")
	}
	if base == "" {
		base = defaultServer
	}
	u, err := url.Parse(base)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return nil, fmt.Errorf("--server %q: want an address such as %s", base, defaultServer)
	}
	c := &client{base: strings.TrimSuffix(base, "/"), token: env.Getenv("NETCINCH_TOKEN"), cluster: r.cluster, http: &http.Client{Timeout: answerTimeout}}
	if r.tokenFile != "" {
		text, err := os.ReadFile(r.tokenFile)
		if err != nil {
			return nil, fmt.Errorf("reading the token: %w", plain(err))
		}
		c.token = string(bytes.TrimSpace(text))
	}
	if r.kubeToken != "" {
		if r.tokenFile != "" {
			return nil, errors.New("--token-file and --token-kubeconfig both say which token to send: give one")
		}
		if err := c.login(u, r.kubeToken); err != nil {
			return nil, err
		}
	}
	return c, nil
}

func (c *client) get(ctx context.Context, path string, query url.Values, into any) error {
	return c.do(ctx, http.MethodGet, path, query, nil, into)
}

func (c *client) post(ctx context.Context, path string, body, into any) error {
	text, err := json.Marshal(body)
	if err != nil {
		return internal(fmt.Errorf("asking the recommender: %w", err))
	}
	return c.do(ctx, http.MethodPost, path, nil, text, into)
}

func (c *client) do(ctx context.Context, method, path string, query url.Values, body []byte, into any) error {
	if query == nil {
		query = url.Values{}
	}
	if c.cluster != "" {
		query.Set("cluster", c.cluster)
	}
	target := c.base + path
	if len(query) > 0 {
		target += "?" + query.Encode()
	}
	req, err := http.NewRequestWithContext(ctx, method, target, bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("asking the recommender: %w", err)
	}
	if len(body) > 0 {
		req.Header.Set("Content-Type", "application/json")
	}
	if c.token != "" {
		req.Header.Set("Authorization", "Bearer "+c.token)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		if ue, ok := errors.AsType[*url.Error](err); ok {
			err = ue.Err
		}
		return fmt.Errorf("no recommender answers at %s (%w); start one with netcinch serve, name another with --server, or give -f and --flows to work on files", c.base, err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	switch {
	case err != nil:
		return fmt.Errorf("reading the answer of %s: %w", c.base, err)
	case resp.StatusCode/100 != 2:
		return c.refused(resp, text)
	}
	if raw, ok := into.(*[]byte); ok {
		*raw = text
		return nil
	}
	if err := json.Unmarshal(text, into); err != nil {
		return fmt.Errorf("the answer of %s is not understood (%w); is it a Netcinch recommender of this version?", c.base, err)
	}
	return nil
}

// refused turns a problem answer (RFC 9457) into an error.
func (c *client) refused(resp *http.Response, text []byte) error {
	var p struct {
		Title     string `json:"title"`
		Detail    string `json:"detail"`
		Parameter string `json:"parameter"`
	}
	if resp.StatusCode == http.StatusUnauthorized {
		return fmt.Errorf("%s does not know the token; give the one that netcinch serve printed with --token-file or $NETCINCH_TOKEN", c.base)
	}
	if err := json.Unmarshal(text, &p); err != nil || p.Title == "" {
		return fmt.Errorf("%s answers %s", c.base, resp.Status)
	}
	message := p.Title
	if p.Detail != "" {
		message = p.Detail
	}
	if p.Parameter != "" {
		return &question.FieldError{Field: p.Parameter, Message: message}
	}
	return fmt.Errorf("%s answers: %s", c.base, message)
}
