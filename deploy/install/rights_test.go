// SPDX-License-Identifier: Apache-2.0

package install

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/netcinch/netcinch/recommender/cluster/live"
)

// as gives a client that has the rights of a ServiceAccount of the manifests.
func (i *installed) as(t *testing.T, account string) kubernetes.Interface {
	t.Helper()
	return must(kubernetes.NewForConfig(i.config(account)))(t)
}

func (i *installed) config(account string) *rest.Config {
	return i.plane.As("system:serviceaccount:netcinch:"+account, "system:serviceaccounts", "system:serviceaccounts:netcinch", "system:authenticated")
}

// recorder notes what is asked of an API server.
type recorder struct {
	next http.RoundTripper

	mu   sync.Mutex
	used map[string]bool // "verb group resource"
}

func (r *recorder) RoundTrip(request *http.Request) (*http.Response, error) {
	if right := rightOf(request.Method, request.URL); right != "" {
		r.mu.Lock()
		r.used[right] = true
		r.mu.Unlock()
	}
	return r.next.RoundTrip(request)
}

// rightOf gives the right that a request takes; empty for discovery.
func rightOf(method string, u *url.URL) string {
	parts := strings.Split(strings.Trim(u.Path, "/"), "/")
	group := ""
	switch {
	case len(parts) > 2 && parts[0] == "api":
		parts = parts[2:]
	case len(parts) > 3 && parts[0] == "apis":
		group, parts = parts[1], parts[3:]
	default:
		return ""
	}
	verb := map[string]string{http.MethodGet: "list", http.MethodPost: "create"}[method]
	if u.Query().Get("watch") != "" {
		verb = "watch"
	}
	if len(parts) != 1 {
		verb = "get"
	}
	return verb + " " + group + " " + parts[0]
}

func granted(role *rbacv1.ClusterRole) map[string]bool {
	out := map[string]bool{}
	for _, rule := range role.Rules {
		for _, group := range rule.APIGroups {
			for _, resource := range rule.Resources {
				for _, verb := range rule.Verbs {
					out[verb+" "+group+" "+resource] = true
				}
			}
		}
	}
	return out
}

// Every right of the recommender is used, and it uses none that it has not:
// first where Calico's objects are as it stores them, then as people write them.
func (i *installed) testRights(t *testing.T) {
	role := must(i.client.RbacV1().ClusterRoles().Get(t.Context(), "netcinch-netcinch", metav1.GetOptions{}))(t)
	want := granted(role)
	used := map[string]bool{}
	for _, group := range []string{"policy.networking.k8s.io", "crd.projectcalico.org", "projectcalico.org"} {
		i.define(t, group, want)
		if group != "policy.networking.k8s.io" {
			maps.Copy(used, i.follow(t))
		}
	}
	client := i.as(t, "netcinch")
	if _, err := client.AuthenticationV1().TokenReviews().Create(t.Context(), &authenticationv1.TokenReview{Spec: authenticationv1.TokenReviewSpec{Token: "t"}}, metav1.CreateOptions{}); err == nil {
		used["create authentication.k8s.io tokenreviews"] = true
	} else {
		t.Error(err)
	}
	review := &authorizationv1.SubjectAccessReview{Spec: authorizationv1.SubjectAccessReviewSpec{User: "jane", ResourceAttributes: &authorizationv1.ResourceAttributes{Verb: "list", Resource: "pods"}}}
	if _, err := client.AuthorizationV1().SubjectAccessReviews().Create(t.Context(), review, metav1.CreateOptions{}); err == nil {
		used["create authorization.k8s.io subjectaccessreviews"] = true
	} else {
		t.Error(err)
	}
	for right := range want {
		if !used[right] {
			t.Errorf("the right to %q is granted and not used", right)
		}
	}
	for right := range used {
		if !want[right] {
			t.Errorf("the right to %q is used and not granted", right)
		}
	}
	// And what is not granted is refused: the test would pass with all rights otherwise.
	if _, err := client.CoreV1().Secrets("shop").List(t.Context(), metav1.ListOptions{}); !apierrors.IsForbidden(err) {
		t.Errorf("listing secrets: %v", err)
	}
}

// follow reads the cluster with the recommender's rights, until every kind was
// asked for that the role grants in groups that are served.
func (i *installed) follow(t *testing.T) map[string]bool {
	t.Helper()
	r := &recorder{used: map[string]bool{}}
	config := i.config("netcinch")
	config.WrapTransport = func(next http.RoundTripper) http.RoundTripper { r.next = next; return r }
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	feed, err := live.Start(ctx, config, live.Options{Clock: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	defer feed.Close()
	deadline := time.Now().Add(time.Minute)
	count := func() (watches int) {
		r.mu.Lock()
		defer r.mu.Unlock()
		for right := range r.used {
			if strings.HasPrefix(right, "watch ") {
				watches++
			}
		}
		return watches
	}
	const served = 14 + 3 + 11 // of the core, cluster-wide, and of one group of Calico's
	for count() < served && time.Now().Before(deadline) {
		<-time.After(50 * time.Millisecond)
	}
	for _, p := range feed.Snapshot().Problems {
		t.Errorf("reading with the granted rights: %s: %s", p.Ref, p.Message)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return maps.Clone(r.used)
}

// define serves the kinds of a group that the role names.
func (i *installed) define(t *testing.T, group string, want map[string]bool) {
	t.Helper()
	client := must(dynamic.NewForConfig(i.plane.Admin))(t).Resource(schema.GroupVersionResource{Group: "apiextensions.k8s.io", Version: "v1", Resource: "customresourcedefinitions"})
	versions := map[string][]string{"policy.networking.k8s.io": {"v1alpha1", "v1alpha2"}, "crd.projectcalico.org": {"v1"}, "projectcalico.org": {"v3"}}[group]
	kinds := map[string]string{
		"adminnetworkpolicies": "AdminNetworkPolicy", "baselineadminnetworkpolicies": "BaselineAdminNetworkPolicy", "clusternetworkpolicies": "ClusterNetworkPolicy",
		"networkpolicies": "NetworkPolicy", "globalnetworkpolicies": "GlobalNetworkPolicy", "stagednetworkpolicies": "StagedNetworkPolicy",
		"stagedglobalnetworkpolicies": "StagedGlobalNetworkPolicy", "stagedkubernetesnetworkpolicies": "StagedKubernetesNetworkPolicy", "tiers": "Tier",
		"networksets": "NetworkSet", "globalnetworksets": "GlobalNetworkSet", "hostendpoints": "HostEndpoint", "profiles": "Profile", "felixconfigurations": "FelixConfiguration",
	}
	for right := range want {
		resource, ok := strings.CutPrefix(right, "list "+group+" ")
		if !ok {
			continue
		}
		var list []any
		for k, v := range versions {
			list = append(list, map[string]any{
				"name": v, "served": true, "storage": k == 0,
				"schema": map[string]any{"openAPIV3Schema": map[string]any{"type": "object", "x-kubernetes-preserve-unknown-fields": true}},
			})
		}
		crd := &unstructured.Unstructured{Object: map[string]any{
			"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
			"metadata": map[string]any{"name": resource + "." + group, "annotations": map[string]any{"api-approved.kubernetes.io": "unapproved, for a test"}},
			"spec": map[string]any{
				"group": group, "scope": "Cluster", "versions": list,
				"names": map[string]any{"plural": resource, "kind": kinds[resource], "listKind": kinds[resource] + "List"},
			},
		}}
		must(client.Create(t.Context(), crd, metav1.CreateOptions{}))(t)
	}
	i.served(t, group, versions)
}

// served waits until the API server serves all kinds of a group.
func (i *installed) served(t *testing.T, group string, versions []string) {
	t.Helper()
	want := map[string]int{"policy.networking.k8s.io": 3, "crd.projectcalico.org": 11, "projectcalico.org": 11}[group]
	deadline := time.Now().Add(time.Minute)
	for {
		complete := true
		for _, v := range versions {
			list, err := i.client.Discovery().ServerResourcesForGroupVersion(group + "/" + v)
			complete = complete && err == nil && len(list.APIResources) >= want
		}
		if complete {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal(fmt.Errorf("%s is not served", group))
		}
		<-time.After(100 * time.Millisecond)
	}
}

// The agent may list and watch pods, and nothing else.
func (i *installed) testAgentRights(t *testing.T) {
	role := must(i.client.RbacV1().ClusterRoles().Get(t.Context(), "netcinch-netcinch-agent", metav1.GetOptions{}))(t)
	got := slices.Sorted(maps.Keys(granted(role)))
	if !slices.Equal(got, []string{"list  pods", "watch  pods"}) {
		t.Errorf("the agent may %q", got)
	}
	client := i.as(t, "netcinch-agent")
	if _, err := client.CoreV1().Pods("").List(t.Context(), metav1.ListOptions{FieldSelector: "spec.nodeName=worker-1"}); err != nil {
		t.Errorf("listing its node's pods: %v", err)
	}
	watch, err := client.CoreV1().Pods("").Watch(t.Context(), metav1.ListOptions{FieldSelector: "spec.nodeName=worker-1"})
	if err != nil {
		t.Errorf("watching its node's pods: %v", err)
	} else {
		watch.Stop()
	}
	if _, err := client.CoreV1().Nodes().List(t.Context(), metav1.ListOptions{}); !apierrors.IsForbidden(err) {
		t.Errorf("listing nodes: %v", err)
	}
}
