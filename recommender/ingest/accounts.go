// SPDX-License-Identifier: Apache-2.0

package ingest

import (
	"context"
	"errors"
	"fmt"

	"github.com/netcinch/netcinch/recommender/auth"
)

// Reviewer asks whose a token is; auth.Reviewer is one.
type Reviewer interface {
	Review(ctx context.Context, token, audience string) (auth.Identity, error)
}

// Accounts is the Authenticator of a recommender in a cluster: agents send the
// projected token of their ServiceAccount. The token must be for the audience,
// of the agents' account, and bound to a pod; its node is the one that the
// agent may speak for.
type Accounts struct {
	Reviewer  Reviewer
	Audience  string
	Namespace string // of the agents' ServiceAccount
	Name      string
	Cluster   string // that the API server is of
	// NodeOf gives the node that a pod runs on, as far as the cluster's objects
	// tell; false for a pod that they do not know (yet).
	NodeOf func(namespace, name, uid string) (node string, known bool)
}

// Authenticate implements Authenticator.
func (a *Accounts) Authenticate(ctx context.Context, token string) (Identity, error) {
	who, err := a.Reviewer.Review(ctx, token, a.Audience)
	if errors.Is(err, auth.ErrRefused) {
		return Identity{}, fmt.Errorf("%w: %w", ErrUnauthenticated, err)
	}
	if err != nil {
		return Identity{}, err
	}
	namespace, name, _ := who.Account()
	if namespace != a.Namespace || name != a.Name {
		return Identity{}, fmt.Errorf("%w: %s is not the agents' account %s/%s", ErrForbidden, who.User, a.Namespace, a.Name)
	}
	pod, uid := who.Pod()
	if pod == "" || uid == "" {
		return Identity{}, fmt.Errorf("%w: the token is bound to no pod; agents send the one that is projected into theirs", ErrForbidden)
	}
	node, err := a.node(who.Node(), namespace, pod, uid)
	if err != nil {
		return Identity{}, err
	}
	return Identity{Name: fmt.Sprintf("pod %s/%s on node %s", namespace, pod, node), Clusters: []string{a.Cluster}, Nodes: []string{node}}, nil
}

// node holds what the token says against what the cluster's objects do. API
// servers before 1.30 do not write the node into the token: then the pod tells.
func (a *Accounts) node(claimed, namespace, pod, uid string) (string, error) {
	known, ok := a.NodeOf(namespace, pod, uid)
	switch {
	case claimed == "" && (!ok || known == ""):
		return "", fmt.Errorf("the node of pod %s/%s is not known yet", namespace, pod)
	case claimed == "":
		return known, nil
	case ok && known != "" && known != claimed:
		return "", fmt.Errorf("%w: the token says node %q, and pod %s/%s runs on %q", ErrForbidden, claimed, namespace, pod, known)
	}
	return claimed, nil
}

// AnyOf is an Authenticator that asks one after the other, until one knows the
// token.
type AnyOf []Authenticator

// Authenticate implements Authenticator.
func (all AnyOf) Authenticate(ctx context.Context, token string) (Identity, error) {
	for _, one := range all {
		if who, err := one.Authenticate(ctx, token); !errors.Is(err, ErrUnauthenticated) {
			return who, err
		}
	}
	return Identity{}, ErrUnauthenticated
}
