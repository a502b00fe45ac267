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

// Identity is who sends: for which clusters and nodes it may speak.
type Identity struct {
	Name     string   // for logs
	Clusters []string // cluster names; "*" for every cluster
	Nodes    []string // node names; "*" for every node
}

// MaySpeakFor says whether batches of a cluster's node may come from this sender.
func (i Identity) MaySpeakFor(cluster, node string) bool {
	return contains(i.Clusters, cluster) && contains(i.Nodes, node)
}

func contains(names []string, name string) bool {
	return slices.Contains(names, "*") || slices.Contains(names, name)
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

// ofCluster begins the word that ties a token to a cluster.
const ofCluster = "cluster="

// ReadTokens reads a token file: one token a line, then what it is for,
// separated by commas or blanks. cluster=NAME ties it to a cluster; the other
// words are nodes, or "*"; a token without nodes is for every node, one without
// clusters for every cluster. Lines that are empty or begin with # are passed
// over. Errors name the line and never the token.
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
		one := hashed{sha256.Sum256([]byte(fields[0])), Identity{Name: fmt.Sprintf("token of line %d", n)}}
		if err := one.identity.limit(fields[1:]); err != nil {
			return nil, fmt.Errorf("line %d: %w", n, err)
		}
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

// limit reads what a token is for.
func (i *Identity) limit(words []string) error {
	for _, word := range words {
		if name, ok := strings.CutPrefix(word, ofCluster); !ok {
			i.Nodes = append(i.Nodes, word)
		} else if name == "" {
			return errors.New("cluster= names no cluster")
		} else {
			i.Clusters = append(i.Clusters, name)
		}
	}
	if len(i.Nodes) == 0 {
		i.Nodes = []string{"*"}
	}
	if len(i.Clusters) == 0 {
		i.Clusters = []string{"*"}
	}
	return nil
}

// CheckClusters holds the tokens against the clusters that there are. Where
// there are several, each token must say of which it is, so that no cluster's
// agents can write as another's; and a token of a cluster that is not there is
// a misspelling.
func (t *Tokens) CheckClusters(clusters []string) error {
	for _, h := range t.known {
		for _, name := range h.identity.Clusters {
			switch {
			case name == "*" && len(clusters) > 1:
				return fmt.Errorf("%s names no cluster, and there are several: write %sNAME behind it (%s)", h.identity.Name, ofCluster, strings.Join(clusters, ", "))
			case name != "*" && !slices.Contains(clusters, name):
				return fmt.Errorf("%s is for cluster %q, which is not one of this recommender's (%s)", h.identity.Name, name, strings.Join(clusters, ", "))
			}
		}
	}
	return nil
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
