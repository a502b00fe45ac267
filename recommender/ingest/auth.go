// SPDX-License-Identifier: Apache-2.0

package ingest

import (
	"bufio"
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
)

// The errors of an Authenticator, told apart with errors.Is. Any other error
// means that it could not judge, and that the agent should try again.
var (
	ErrUnauthenticated = errors.New("token missing or not known")
	ErrForbidden       = errors.New("token is not for this node")
)

// Identity is who sends: for which nodes it may speak.
type Identity struct {
	Name  string   // for logs
	Nodes []string // node names; "*" for every node
}

// MaySpeakFor says whether batches of a node may come from this sender.
func (i Identity) MaySpeakFor(node string) bool {
	return slices.Contains(i.Nodes, "*") || slices.Contains(i.Nodes, node)
}

// Authenticator tells who sends by the bearer token, which is never empty.
type Authenticator interface {
	Authenticate(ctx context.Context, token string) (Identity, error)
}

// Tokens is the Authenticator of a recommender without an API server: fixed
// tokens, each for some nodes or for all. It keeps only their hashes.
type Tokens struct{ known []hashed }

type hashed struct {
	sum      [sha256.Size]byte
	identity Identity
}

// minToken is the shortest token that is taken, in bytes.
const minToken = 16

// ReadTokens reads a token file: one token a line, then the nodes that it is
// for, separated by commas or blanks, or "*"; a token alone is for every node.
// Lines that are empty or begin with # are passed over. Errors name the line
// and never the token.
func ReadTokens(path string) (*Tokens, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("reading the agents' tokens: %w", err)
	}
	defer f.Close()
	t, err := ParseTokens(f)
	if err != nil {
		return nil, fmt.Errorf("reading the agents' tokens: %s: %w", path, err)
	}
	return t, nil
}

// ParseTokens reads the form of [ReadTokens].
func ParseTokens(r io.Reader) (*Tokens, error) {
	t := new(Tokens)
	lines := bufio.NewScanner(r)
	for n := 1; lines.Scan(); n++ {
		fields := strings.FieldsFunc(lines.Text(), func(c rune) bool { return c == ' ' || c == '\t' || c == ',' || c == '\r' })
		if len(fields) == 0 || strings.HasPrefix(fields[0], "#") {
			continue
		}
		if len(fields[0]) < minToken {
			return nil, fmt.Errorf("line %d: the token has %d bytes, want %d or more", n, len(fields[0]), minToken)
		}
		nodes := fields[1:]
		if len(nodes) == 0 {
			nodes = []string{"*"}
		}
		one := hashed{sha256.Sum256([]byte(fields[0])), Identity{Name: fmt.Sprintf("token of line %d", n), Nodes: nodes}}
		if slices.ContainsFunc(t.known, func(h hashed) bool { return h.sum == one.sum }) {
			return nil, fmt.Errorf("line %d: the token is there twice", n)
		}
		t.known = append(t.known, one)
	}
	if err := lines.Err(); err != nil {
		return nil, err
	}
	if len(t.known) == 0 {
		return nil, errors.New("no token in it: write one a line, at least 16 random characters")
	}
	return t, nil
}

// Authenticate implements Authenticator. It takes the same time whichever
// token is asked for.
func (t *Tokens) Authenticate(_ context.Context, token string) (Identity, error) {
	sum := sha256.Sum256([]byte(token))
	found := Identity{}
	for _, h := range t.known {
		if subtle.ConstantTimeCompare(sum[:], h.sum[:]) == 1 {
			found = h.identity
		}
	}
	if len(found.Nodes) == 0 {
		return Identity{}, ErrUnauthenticated
	}
	return found, nil
}
