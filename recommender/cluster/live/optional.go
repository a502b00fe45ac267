// SPDX-License-Identifier: Apache-2.0

package live

import (
	"context"
	"fmt"
	"sync"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/dynamic/dynamicinformer"

	"github.com/netcinch/netcinch/recommender/cluster"
)

// Calico's objects are read as people write them where that API is served, and
// else as Calico stores them; never both, since they are the same objects.
var (
	calico       = schema.GroupVersion{Group: "projectcalico.org", Version: "v3"}
	calicoStored = schema.GroupVersion{Group: "crd.projectcalico.org", Version: "v1"}
	clusterWide  = []schema.GroupVersion{
		{Group: "policy.networking.k8s.io", Version: "v1alpha1"},
		{Group: "policy.networking.k8s.io", Version: "v1alpha2"},
	}
)

// optional watches the kinds whose resource definitions may come and go.
type optional struct {
	client    dynamic.Interface
	discovery discovery.DiscoveryInterface
	options   Options
	touch     func()
	render    *renderer

	mu       sync.Mutex
	watched  map[schema.GroupVersionResource]*watch
	failures map[schema.GroupVersion]error // of discovery
}

type watch struct {
	*kind
	cancel context.CancelFunc
	done   chan struct{}
}

func newOptional(c Clients, o Options, touch func()) *optional {
	return &optional{
		client: c.Dynamic, discovery: c.Discovery, options: o, touch: touch, render: newRenderer(),
		watched: map[schema.GroupVersionResource]*watch{}, failures: map[schema.GroupVersion]error{},
	}
}

// discover starts watching kinds that came and stops watching those that went;
// it reports whether there were any. A group whose server does not answer
// keeps its kinds.
func (p *optional) discover(ctx context.Context) bool {
	changed := false
	served := p.look(ctx, calico, &changed)
	if !served {
		p.look(ctx, calicoStored, &changed)
	} else {
		changed = p.set(ctx, calicoStored, nil) || changed
	}
	for _, gv := range clusterWide {
		p.look(ctx, gv, &changed)
	}
	return changed
}

// look discovers one group; it reports whether any kind of it is served.
func (p *optional) look(ctx context.Context, gv schema.GroupVersion, changed *bool) bool {
	list, err := p.discovery.ServerResourcesForGroupVersion(gv.String())
	p.mu.Lock()
	p.failures[gv] = nil
	if err != nil && !apierrors.IsNotFound(err) {
		p.failures[gv] = err
		served := false
		for gvr := range p.watched {
			served = served || gvr.GroupVersion() == gv
		}
		p.mu.Unlock()
		*changed = true
		return served
	}
	p.mu.Unlock()
	found := map[string]*kind{} // by resource
	if err == nil {
		for _, r := range list.APIResources {
			_, ok, lookupErr := cluster.LookupKind(gv.String(), r.Kind)
			if lookupErr == nil && ok && !hasSlash(r.Name) {
				found[r.Name] = &kind{apiVersion: gv.String(), name: r.Kind, resource: r.Name + "." + gv.Group, clock: p.options.Clock}
			}
		}
	}
	*changed = p.set(ctx, gv, found) || *changed
	return len(found) > 0
}

// hasSlash: "networkpolicies/status" is a part of a resource.
func hasSlash(resource string) bool {
	for _, c := range resource {
		if c == '/' {
			return true
		}
	}
	return false
}

// set makes the kinds of a group those that are given, by resource.
func (p *optional) set(ctx context.Context, gv schema.GroupVersion, found map[string]*kind) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	changed := false
	for gvr, w := range p.watched {
		if gvr.GroupVersion() == gv && found[gvr.Resource] == nil {
			w.cancel()
			<-w.done
			delete(p.watched, gvr)
			changed = true
			p.options.Log.InfoContext(ctx, "kind is no longer served", "resource", w.resource)
		}
	}
	for resource, k := range found {
		gvr := gv.WithResource(resource)
		if p.watched[gvr] != nil {
			continue
		}
		p.watched[gvr] = p.begin(ctx, gvr, k)
		changed = true
		p.options.Log.InfoContext(ctx, "kind is served", "resource", k.resource)
	}
	return changed
}

func (p *optional) begin(ctx context.Context, gvr schema.GroupVersionResource, k *kind) *watch {
	ctx, cancel := context.WithCancel(ctx)
	informer := dynamicinformer.NewFilteredDynamicInformer(p.client, gvr, "", 0, nil, nil).Informer()
	k.informer = informer
	follow(k, p.options, p.touch)
	w := &watch{kind: k, cancel: cancel, done: make(chan struct{})}
	go func() {
		defer close(w.done)
		informer.RunWithContext(ctx)
	}()
	return w
}

func (p *optional) all() []*kind {
	p.mu.Lock()
	defer p.mu.Unlock()
	var kinds []*kind
	for _, w := range p.watched {
		kinds = append(kinds, w.kind)
	}
	return kinds
}

// wait returns when every kind that is served was read, refused or failed: an
// optional kind whose server is broken must not hold up the rest.
func (p *optional) wait(ctx context.Context) {
	kinds := p.all()
	for _, k := range kinds {
		for !k.settled() && k.failed() == nil {
			if !pause(ctx, syncPoll) {
				return
			}
		}
	}
}

func (p *optional) stop() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for gvr, w := range p.watched {
		w.cancel()
		<-w.done
		delete(p.watched, gvr)
	}
}

func (p *optional) items() ([]cluster.Item, []cluster.Problem) {
	var items []cluster.Item
	problems := p.failed()
	present := map[cluster.Ref]bool{}
	for _, k := range p.all() {
		if problem, bad := k.problem(); bad {
			problems = append(problems, problem)
		}
		for _, object := range k.informer.GetStore().List() {
			u, ok := object.(*unstructured.Unstructured)
			if !ok {
				continue
			}
			ref := cluster.Ref{APIVersion: k.apiVersion, Kind: k.name, Namespace: u.GetNamespace(), Name: u.GetName()}
			present[ref] = true
			i, bad := p.render.object(ref, u)
			items, problems = append(items, i...), append(problems, bad...)
		}
	}
	p.render.keep(present)
	return items, problems
}

func (p *optional) failed() []cluster.Problem {
	p.mu.Lock()
	defer p.mu.Unlock()
	var problems []cluster.Problem
	for gv, err := range p.failures {
		if err != nil {
			problems = append(problems, cluster.Problem{
				Ref:     cluster.Ref{APIVersion: gv.String()},
				Message: fmt.Sprintf("asking the API server for the kinds of %s: %v; what was known before is used", gv, err),
			})
		}
	}
	return problems
}
