// SPDX-License-Identifier: Apache-2.0

package cli_test

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// kubeconfig writes one with a user.
func kubeconfig(t *testing.T, user string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "kubeconfig")
	text := "apiVersion: v1\nkind: Config\ncurrent-context: x\nclusters: [{name: c, cluster: {server: 'https://192.0.2.1:6443'}}]\n" +
		"contexts: [{name: x, context: {cluster: c, user: u}}]\nusers: [{name: u, user: {" + user + "}}]\n"
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// The token of a kubeconfig's user goes to the recommender, however it is
// given, and never where somebody could read it on the way.
func TestTokenOfAKubeconfig(t *testing.T) {
	var got []string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got = append(got, r.Header.Get("Authorization"))
		w.WriteHeader(http.StatusUnauthorized)
	}))
	defer server.Close()
	dir := t.TempDir()
	file, login := filepath.Join(dir, "token"), filepath.Join(dir, "login")
	credential := `{"apiVersion":"client.authentication.k8s.io/v1","kind":"ExecCredential","status":{"token":"from-program"}}`
	for path, text := range map[string]string{file: "from-file\n", login: "#!/bin/sh\necho '" + credential + "'\n"} {
		if err := os.WriteFile(path, []byte(text), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	exec := "exec: {apiVersion: client.authentication.k8s.io/v1, command: " + login + ", interactiveMode: Never}"
	for _, c := range []struct{ name, user, server, sent, says string }{
		{"token", "token: from-kubeconfig", server.URL, "Bearer from-kubeconfig", "does not know the token"},
		{"file", "tokenFile: " + file, server.URL, "Bearer from-file", "does not know the token"},
		{"program", exec, server.URL, "Bearer from-program", "does not know the token"},
		{"no token", "username: jane, password: secret", server.URL, "", "kubectl create token"},
		{"in the open", "token: from-kubeconfig", "http://192.0.2.9:8080", "", "neither https nor on this machine"},
	} {
		got = nil
		_, _, says := netcinch(t, nil, "graph", "--server", c.server, "--token-kubeconfig", kubeconfig(t, c.user))
		sent := strings.Join(got, " ")
		if !strings.HasPrefix(sent, c.sent) || c.sent == "" && sent != "" || !strings.Contains(says, c.says) {
			t.Errorf("%s: sent %q, want %q; says %s", c.name, sent, c.sent, says)
		}
	}
	if _, _, says := netcinch(t, nil, "graph", "--server", server.URL, "--token-file", file, "--token-kubeconfig", kubeconfig(t, "token: t")); !strings.Contains(says, "give one") {
		t.Errorf("both: %s", says)
	}
}
