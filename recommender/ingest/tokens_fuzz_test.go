// SPDX-License-Identifier: Apache-2.0

package ingest

import (
	"strings"
	"testing"
)

// FuzzParseTokens reads whatever a token file holds: what is taken authenticates
// its node and no other, and an error never has a token in it.
func FuzzParseTokens(f *testing.F) {
	for _, seed := range []string{
		"0123456789abcdef\n", "0123456789abcdef n1,n2 n3\n# a comment\n\nfedcba9876543210 *\r\n", "short n1\n",
		"0123456789abcdef\n0123456789abcdef\n", "0123456789abcdef,n1", "\t0123456789abcdef\tn1\x00",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		tokens, err := ParseTokens(strings.NewReader(text))
		for line := range strings.Lines(text) {
			fields := strings.FieldsFunc(line, func(c rune) bool { return strings.ContainsRune(" \t,\r\n", c) })
			if len(fields) == 0 || strings.HasPrefix(fields[0], "#") {
				continue
			}
			if err != nil {
				if len(fields[0]) >= minToken && strings.Contains(err.Error(), fields[0]) {
					t.Errorf("the error tells a token: %v", err)
				}
				continue
			}
			identity, refused := tokens.Authenticate(t.Context(), fields[0])
			switch {
			case refused != nil:
				t.Errorf("the token of line %q is refused: %v", line, refused)
			case len(fields) > 1 && identity.Nodes[0] != fields[1]:
				t.Errorf("line %q is for %v", line, identity.Nodes)
			}
		}
		if err == nil {
			if _, err := tokens.Authenticate(t.Context(), "not a token of the file, surely"); err == nil {
				t.Error("a token that is not there is taken")
			}
		}
	})
}
