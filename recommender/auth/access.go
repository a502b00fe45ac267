// SPDX-License-Identifier: Apache-2.0

package auth

import (
	"context"
	"crypto/sha256"
	"fmt"
	"maps"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
	authorizationv1 "k8s.io/api/authorization/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// AccessReviews is the part of a client that Access needs:
// clientset.AuthorizationV1().SubjectAccessReviews().
type AccessReviews interface {
	Create(ctx context.Context, review *authorizationv1.SubjectAccessReview, o metav1.CreateOptions) (*authorizationv1.SubjectAccessReview, error)
}

const (
	keepRights  = time.Minute
	mostPeople  = 2_000
	atOnce      = 8 // reviews for one person
	rightWithin = 30 * time.Second
)

// Rights are what one person may see. The zero value is nothing.
type Rights struct {
	// Cluster: what belongs to no namespace (nodes, cluster-wide policies,
	// coverage); and every namespace.
	Cluster bool
	// Every namespace, those to come as well.
	Every bool
	// Namespaces by name; of use without Every.
	Namespaces map[string]bool
}

// All are the rights of who may see everything.
func All() Rights { return Rights{Cluster: true, Every: true} }

// See says whether a namespace may be seen; the empty name is what belongs to none.
func (r Rights) See(namespace string) bool {
	if namespace == "" {
		return r.Cluster
	}
	return r.Cluster || r.Every || r.Namespaces[namespace]
}

// Access asks the API server what people may do. The answers are kept for a minute.
//
// Who may list both pods and network policies of a namespace sees what is
// known of it; who may besides list nodes, and all of it in every namespace,
// sees what belongs to the cluster. Who may update a namespace's network
// policies may decide on its findings.
type Access struct {
	client AccessReviews
	now    func() time.Time
	people *cache[[sha256.Size]byte, *rights]
}

// rights are those of one person, as far as they were asked for.
type rights struct {
	mu     sync.Mutex
	wide   bool // whether cluster and every are known
	rights Rights
	accept map[string]bool
	paths  map[string]bool
}

// NewAccess gives one.
func NewAccess(client AccessReviews, now func() time.Time) *Access {
	return &Access{client: client, now: now, people: newCache[[sha256.Size]byte, *rights](mostPeople)}
}

// action is what somebody wants to do to a kind of object.
type action struct{ verb, group, resource string }

var (
	listPods     = action{"list", "", "pods"}
	listPolicies = action{"list", "networking.k8s.io", "networkpolicies"}
	listNodes    = action{"list", "", "nodes"}
	editPolicies = action{"update", "networking.k8s.io", "networkpolicies"}
)

func (a *Access) of(who Identity) *rights {
	now, key := a.now(), who.key()
	if r, ok := a.people.get(key, now); ok {
		return r
	}
	r := &rights{rights: Rights{Namespaces: map[string]bool{}}, accept: map[string]bool{}, paths: map[string]bool{}}
	a.people.put(key, r, now, now.Add(keepRights))
	return r
}

// Rights gives what a person may see of these namespaces. Where the API
// server cannot be asked nothing is given.
func (a *Access) Rights(ctx context.Context, who Identity, namespaces []string) (Rights, error) {
	ctx, cancel := context.WithTimeout(ctx, rightWithin)
	defer cancel()
	r := a.of(who)
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.wide {
		if err := a.wide(ctx, who, &r.rights); err != nil {
			return Rights{}, err
		}
		r.wide = true
	}
	if !r.rights.Every {
		if err := a.each(ctx, who, r, namespaces); err != nil {
			return Rights{}, err
		}
	}
	out := r.rights
	out.Namespaces = maps.Clone(r.rights.Namespaces)
	return out, nil
}

func (a *Access) wide(ctx context.Context, who Identity, r *Rights) (err error) {
	if r.Every, err = a.both(ctx, who, ""); err != nil || !r.Every {
		return err
	}
	r.Cluster, err = a.may(ctx, who, "", listNodes)
	return err
}

// each asks for the namespaces that were not asked for yet.
func (a *Access) each(ctx context.Context, who Identity, r *rights, namespaces []string) error {
	var mu sync.Mutex
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(atOnce)
	found := map[string]bool{}
	for _, name := range namespaces {
		if _, known := r.rights.Namespaces[name]; known || name == "" {
			continue
		}
		group.Go(func() error {
			ok, err := a.both(ctx, who, name)
			mu.Lock()
			defer mu.Unlock()
			found[name] = ok && err == nil
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	maps.Copy(r.rights.Namespaces, found)
	return nil
}

func (a *Access) both(ctx context.Context, who Identity, namespace string) (bool, error) {
	ok, err := a.may(ctx, who, namespace, listPods)
	if err != nil || !ok {
		return false, err
	}
	return a.may(ctx, who, namespace, listPolicies)
}

// MayDecide says whether a person may decide on a namespace's findings; the
// empty name is for what belongs to no namespace.
func (a *Access) MayDecide(ctx context.Context, who Identity, namespace string) (bool, error) {
	ctx, cancel := context.WithTimeout(ctx, rightWithin)
	defer cancel()
	r := a.of(who)
	r.mu.Lock()
	defer r.mu.Unlock()
	if ok, known := r.accept[namespace]; known {
		return ok, nil
	}
	ok, err := a.may(ctx, who, namespace, editPolicies)
	if err != nil {
		return false, err
	}
	r.accept[namespace] = ok
	return ok, nil
}

// MayGet says whether a person may get a path that is no object's, such as
// /metrics.
func (a *Access) MayGet(ctx context.Context, who Identity, path string) (bool, error) {
	ctx, cancel := context.WithTimeout(ctx, rightWithin)
	defer cancel()
	r := a.of(who)
	r.mu.Lock()
	defer r.mu.Unlock()
	if ok, known := r.paths[path]; known {
		return ok, nil
	}
	ok, err := a.ask(ctx, who, authorizationv1.SubjectAccessReviewSpec{NonResourceAttributes: &authorizationv1.NonResourceAttributes{Path: path, Verb: "get"}})
	if err != nil {
		return false, err
	}
	r.paths[path] = ok
	return ok, nil
}

func (a *Access) may(ctx context.Context, who Identity, namespace string, what action) (bool, error) {
	return a.ask(ctx, who, authorizationv1.SubjectAccessReviewSpec{ResourceAttributes: &authorizationv1.ResourceAttributes{
		Namespace: namespace, Verb: what.verb, Group: what.group, Resource: what.resource,
	}})
}

func (a *Access) ask(ctx context.Context, who Identity, spec authorizationv1.SubjectAccessReviewSpec) (bool, error) {
	spec.User, spec.UID, spec.Groups, spec.Extra = who.User, who.UID, who.Groups, map[string]authorizationv1.ExtraValue{}
	for key, values := range who.Extra {
		spec.Extra[key] = values
	}
	got, err := a.client.Create(ctx, &authorizationv1.SubjectAccessReview{Spec: spec}, metav1.CreateOptions{})
	if err != nil {
		return false, fmt.Errorf("asking the API server about rights: %w", withoutObject(err))
	}
	return got.Status.Allowed && !got.Status.Denied, nil
}
