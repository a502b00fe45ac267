// SPDX-License-Identifier: Apache-2.0

package ingest

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const tokens = `
# the agents of the shop
secret-of-node-one   n1, n1b
secret-of-everybody  *
secret-alone-in-line
secret-of-cluster-b  cluster=b
secret-of-b-and-c-n1 cluster=b, cluster=c n1
`

func TestTokens(t *testing.T) {
	known, err := ParseTokens(strings.NewReader(tokens))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		token, cluster, node string
		want                 bool
	}{
		{"secret-of-node-one", "a", "n1", true},
		{"secret-of-node-one", "a", "n1b", true},
		{"secret-of-node-one", "a", "n2", false},
		{"secret-of-everybody", "a", "n2", true},
		{"secret-alone-in-line", "a", "n3", true},
		{"secret-of-cluster-b", "b", "n1", true},
		{"secret-of-cluster-b", "a", "n1", false},
		{"secret-of-cluster-b", "cluster=b", "n1", false},
		{"secret-of-b-and-c-n1", "c", "n1", true},
		{"secret-of-b-and-c-n1", "c", "n2", false},
		{"secret-of-b-and-c-n1", "a", "n1", false},
	} {
		who, err := known.Authenticate(t.Context(), c.token)
		if err != nil {
			t.Errorf("%s: %v", c.token, err)
		}
		if got := who.MaySpeakFor(c.cluster, c.node); got != c.want {
			t.Errorf("%s for %s of %s: %v, want %v", c.token, c.node, c.cluster, got, c.want)
		}
		if strings.Contains(who.Name, "secret") {
			t.Errorf("the name %q tells the token", who.Name)
		}
	}
	for _, wrong := range []string{"", "secret", "secret-of-node-one ", "secret-of-node-onE"} {
		if who, err := known.Authenticate(t.Context(), wrong); !errors.Is(err, ErrUnauthenticated) {
			t.Errorf("%q: %v, %v; want ErrUnauthenticated", wrong, who, err)
		}
	}
}

func TestTokenFileErrorsNameTheLineAndNotTheToken(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"", "no token in it"},
		{"# nothing\n\n", "no token in it"},
		{"secret-of-node-one\n\nsecret-short n1\n", "line 3: the token has 12 bytes, want 16 or more"},
		{"secret-of-node-one\nsecret-of-node-one n2\n", "line 2: the token is there twice"},
		{"secret-of-node-one cluster= n2\n", "line 1: cluster= names no cluster"},
	} {
		path := filepath.Join(t.TempDir(), "tokens")
		if err := os.WriteFile(path, []byte(c.text), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := ReadTokens(path)
		if got := fmt.Sprint(err); !strings.Contains(got, path+": "+c.want) || strings.Contains(got, "secret") {
			t.Errorf("%q: %v, want %s: %s", c.text, err, path, c.want)
		}
	}
	if _, err := ReadTokens(filepath.Join(t.TempDir(), "none")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a missing file: %v", err)
	}
}

// TestTokensOfSeveralClusters wants each token to say whose it is.
func TestTokensOfSeveralClusters(t *testing.T) {
	for _, c := range []struct {
		text     string
		clusters []string
		want     string
	}{
		{"secret-of-node-one", []string{"a"}, ""},
		{"secret-of-node-one cluster=a", []string{"a"}, ""},
		{"secret-of-node-one cluster=a\nsecret-of-node-two cluster=b", []string{"a", "b"}, ""},
		{"secret-of-node-one cluster=a\nsecret-of-node-two n1", []string{"a", "b"}, "token of line 2 names no cluster, and there are several: write cluster=NAME behind it (a, b)"},
		{"secret-of-node-one cluster=prd", []string{"prod", "test"}, `token of line 1 is for cluster "prd", which is not one of this recommender's (prod, test)`},
	} {
		known, err := ParseTokens(strings.NewReader(c.text))
		if err != nil {
			t.Fatal(err)
		}
		got := ""
		if err := known.CheckClusters(c.clusters); err != nil {
			got = err.Error()
		}
		if got != c.want {
			t.Errorf("%q: %q, want %q", c.text, got, c.want)
		}
	}
}

// FuzzTokens wants a token to be for no more than its line says.
func FuzzTokens(f *testing.F) {
	f.Add(tokens)
	f.Add("0123456789abcdef cluster=, cluster=a n1")
	f.Fuzz(func(t *testing.T, text string) {
		known, err := ParseTokens(strings.NewReader(text))
		if err != nil {
			return
		}
		for _, h := range known.known {
			i := h.identity
			if len(i.Nodes) == 0 || len(i.Clusters) == 0 || i.MaySpeakFor("a cluster", "a node") && (!contains(i.Clusters, "*") || !contains(i.Nodes, "*")) {
				t.Errorf("%q: %+v", text, i)
			}
		}
	})
}
