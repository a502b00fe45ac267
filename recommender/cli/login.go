// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
)

// login lets the client send what a kubeconfig's user proves themselves with:
// its token, that of its file, or what its login program gives. A client
// certificate is for the API server alone and cannot be passed on.
func (c *client) login(server *url.URL, path string) error {
	if !private(server) {
		return fmt.Errorf("--token-kubeconfig: %s is neither https nor on this machine, and whoever is in between could read the token", server.Redacted())
	}
	rules := &clientcmd.ClientConfigLoadingRules{ExplicitPath: path}
	config, err := clientcmd.NewNonInteractiveDeferredLoadingClientConfig(rules, &clientcmd.ConfigOverrides{}).ClientConfig()
	if err != nil {
		return fmt.Errorf("reading --token-kubeconfig: %w", plain(err))
	}
	user := &rest.Config{
		Host: config.Host, BearerToken: config.BearerToken, BearerTokenFile: config.BearerTokenFile, ExecProvider: config.ExecProvider, AuthProvider: config.AuthProvider,
	}
	if user.BearerToken == "" && user.BearerTokenFile == "" && user.ExecProvider == nil && user.AuthProvider == nil {
		return errors.New("--token-kubeconfig: its user has no token (a client certificate is for the API server alone); make one with kubectl create token NAME --audience netcinch and give it with --token-file")
	}
	transport, err := user.TransportConfig()
	if err != nil {
		return fmt.Errorf("reading --token-kubeconfig: %w", err)
	}
	wrapped, err := rest.HTTPWrappersForConfig(user, http.DefaultTransport)
	if err != nil {
		return fmt.Errorf("reading --token-kubeconfig: %w", err)
	}
	if transport.WrapTransport != nil && user.ExecProvider != nil {
		wrapped = transport.WrapTransport(http.DefaultTransport)
	}
	c.token = ""
	c.http.Transport = wrapped
	// A redirect would carry the token elsewhere.
	c.http.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return nil
}

// private says whether nobody in between can read what is sent.
func private(server *url.URL) bool {
	if server.Scheme == "https" || server.Hostname() == "localhost" {
		return true
	}
	addr, err := netip.ParseAddr(server.Hostname())
	return err == nil && addr.IsLoopback()
}
