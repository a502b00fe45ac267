// SPDX-License-Identifier: Apache-2.0

package install

import (
	"os"
	"strings"
	"testing"

	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"sigs.k8s.io/yaml"

	"github.com/netcinch/netcinch/deploy/lab/control"
)

// Where lists come as watches, the right to list is for older API servers alone,
// and would not be seen in use.
func TestMain(m *testing.M) {
	if err := os.Setenv("KUBE_FEATURE_WatchListClient", "false"); err != nil {
		panic(err)
	}
	os.Exit(m.Run())
}

// The tests share an API server: it takes seconds and 400 MB.
func TestInstalled(t *testing.T) {
	plane := control.Start(t)
	client, err := kubernetes.NewForConfig(plane.Admin)
	if err != nil {
		t.Fatal(err)
	}
	i := &installed{plane: plane, client: client}
	for _, name := range []string{"netcinch", "shop", "vault"} {
		must(client.CoreV1().Namespaces().Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}}, metav1.CreateOptions{}))(t)
	}
	t.Run("manifests", i.testManifests)
	t.Run("rights of the recommender", i.testRights)
	t.Run("rights of the agent", i.testAgentRights)
	t.Run("agents", i.testAgents)
	t.Run("people", i.testPeople)
	t.Run("page", i.testPage)
}

type installed struct {
	plane  *control.Plane
	client kubernetes.Interface
}

func must[T any](v T, err error) func(*testing.T) T {
	return func(t *testing.T) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// manifest gives the objects of the plain manifests.
func manifest(t *testing.T) []*unstructured.Unstructured {
	t.Helper()
	text, err := os.ReadFile("../manifests/netcinch.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var out []*unstructured.Unstructured
	for doc := range strings.SplitSeq(string(text), "\n---\n") {
		o := &unstructured.Unstructured{}
		if err := yaml.Unmarshal([]byte(doc), &o.Object); err != nil {
			t.Fatal(err)
		}
		if o.Object != nil {
			out = append(out, o)
		}
	}
	return out
}

func resourceOf(o *unstructured.Unstructured) schema.GroupVersionResource {
	plural := strings.ToLower(o.GetKind()) + "s"
	if stem, ok := strings.CutSuffix(plural, "ys"); ok {
		plural = stem + "ies"
	}
	return o.GroupVersionKind().GroupVersion().WithResource(plural)
}

// The API server takes every object, and knows every field of it.
func (i *installed) testManifests(t *testing.T) {
	client := must(dynamic.NewForConfig(i.plane.Admin))(t)
	for _, o := range manifest(t) {
		_, err := client.Resource(resourceOf(o)).Namespace(o.GetNamespace()).Create(t.Context(), o, metav1.CreateOptions{FieldValidation: metav1.FieldValidationStrict})
		if err != nil {
			t.Errorf("%s %s: %v", o.GetKind(), o.GetName(), err)
		}
	}
}

// account makes a ServiceAccount with a token, bound to a pod where one is given.
func (i *installed) account(t *testing.T, namespace, name, audience string, pod *corev1.Pod) string {
	t.Helper()
	accounts := i.client.CoreV1().ServiceAccounts(namespace)
	if _, err := accounts.Get(t.Context(), name, metav1.GetOptions{}); err != nil {
		must(accounts.Create(t.Context(), &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Name: name}}, metav1.CreateOptions{}))(t)
	}
	request := &authenticationv1.TokenRequest{}
	if audience != "" {
		request.Spec.Audiences = []string{audience}
	}
	if pod != nil {
		request.Spec.BoundObjectRef = &authenticationv1.BoundObjectReference{APIVersion: "v1", Kind: "Pod", Name: pod.Name, UID: pod.UID}
	}
	return must(accounts.CreateToken(t.Context(), name, request, metav1.CreateOptions{}))(t).Status.Token
}

// pod makes one that runs on a node.
func (i *installed) pod(t *testing.T, namespace, name, account, node string) *corev1.Pod {
	t.Helper()
	if _, err := i.client.CoreV1().Nodes().Get(t.Context(), node, metav1.GetOptions{}); err != nil {
		must(i.client.CoreV1().Nodes().Create(t.Context(), &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: node}}, metav1.CreateOptions{}))(t)
	}
	return must(i.client.CoreV1().Pods(namespace).Create(t.Context(), &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec:       corev1.PodSpec{ServiceAccountName: account, NodeName: node, Containers: []corev1.Container{{Name: "c", Image: "c"}}},
	}, metav1.CreateOptions{}))(t)
}

// grant lets a ServiceAccount do something within a namespace. The roles that
// come with Kubernetes (view, edit) have these verbs, once a controller manager
// has filled them.
func (i *installed) grant(t *testing.T, namespace, account string, verbs ...string) {
	t.Helper()
	roles := i.client.RbacV1()
	name := account + "-" + namespace
	must(roles.Roles(namespace).Create(t.Context(), &rbacv1.Role{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Rules: []rbacv1.PolicyRule{
			{APIGroups: []string{""}, Resources: []string{"pods"}, Verbs: verbs},
			{APIGroups: []string{"networking.k8s.io"}, Resources: []string{"networkpolicies"}, Verbs: verbs},
		},
	}, metav1.CreateOptions{}))(t)
	must(roles.RoleBindings(namespace).Create(t.Context(), &rbacv1.RoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: name},
		Subjects:   []rbacv1.Subject{{Kind: "ServiceAccount", Name: account, Namespace: "netcinch"}},
	}, metav1.CreateOptions{}))(t)
}
