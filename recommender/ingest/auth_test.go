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
`

func TestTokens(t *testing.T) {
	known, err := ParseTokens(strings.NewReader(tokens))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		token, node string
		want        bool
	}{
		{"secret-of-node-one", "n1", true},
		{"secret-of-node-one", "n1b", true},
		{"secret-of-node-one", "n2", false},
		{"secret-of-everybody", "n2", true},
		{"secret-alone-in-line", "n3", true},
	} {
		who, err := known.Authenticate(t.Context(), c.token)
		if err != nil {
			t.Errorf("%s: %v", c.token, err)
		}
		if got := who.MaySpeakFor(c.node); got != c.want {
			t.Errorf("%s for %s: %v, want %v", c.token, c.node, got, c.want)
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
