// SPDX-License-Identifier: Apache-2.0

package deliver_test

import (
	"context"
	"os"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"sigs.k8s.io/yaml"

	"github.com/netcinch/netcinch/deploy/lab/control"
	"github.com/netcinch/netcinch/recommender/alert"
	"github.com/netcinch/netcinch/recommender/alert/deliver"
	"github.com/netcinch/netcinch/recommender/analyze"
)

// A real API server takes the events, with the rights that the documentation
// says and no others: about the workload, counted in a series, and another one
// when it is over.
func TestRealEvents(t *testing.T) {
	plane := control.Start(t)
	admin, err := kubernetes.NewForConfig(plane.Admin)
	if err != nil {
		t.Fatal(err)
	}
	own, err := kubernetes.NewForConfig(plane.As("netcinch"))
	if err != nil {
		t.Fatal(err)
	}
	ctx := t.Context()
	if _, err = admin.CoreV1().Namespaces().Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "shop"}}, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	labels := map[string]string{"app": "cart"}
	cart, err := admin.AppsV1().Deployments("shop").Create(ctx, &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Name: "cart"},
		Spec: appsv1.DeploymentSpec{
			Selector: &metav1.LabelSelector{MatchLabels: labels},
			Template: corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: labels}, Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "c", Image: "i"}}}},
		},
	}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	w := newWorld(t, "sinks: [{name: events, type: kubernetes, retry: 20ms, maxRetry: 100ms}]")
	o := w.options()
	o.Kubernetes = func(string) (kubernetes.Interface, error) { return own, nil }
	if results, checked := deliver.CheckFile(ctx, o); checked != nil || len(results) != 1 || !strings.Contains(results[0].Problem, "may not create events (events.k8s.io)") {
		t.Errorf("without rights: %+v, %v", results, checked)
	}
	grant(t, admin)
	if results, checked := deliver.CheckFile(ctx, o); checked != nil || !results[0].OK {
		t.Errorf("with rights: %+v, %v", results, checked)
	}
	d, err := deliver.New(o)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	w.d = d
	running, cancel := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() { ended <- d.Run(running) }()
	defer func() { cancel(); <-ended }()

	a := that(1, 1, alert.Firing)
	a.Client = &analyze.Party{Kind: analyze.PartyWorkload, Namespace: "shop", WorkloadKind: "Deployment", Name: "cart"}
	again, over := a, a
	again.Revision, over.Revision, over.Status = 2, 3, alert.Resolved
	node := that(2, 1, alert.Firing)
	node.Kind, node.Node, node.Workloads, node.Namespace = alert.CaptureGap, "node-1", nil, ""
	long := that(3, 1, alert.Firing)
	long.Text, long.Workloads = strings.Repeat("ä", 3000), nil
	w.notify(a, again, over, node, long)
	eventually(t, "all are told", func() bool { return w.sink("events").Waiting == 0 })
	if s := w.sink("events"); s.Refused != 0 || s.Delivered != 5 {
		t.Fatalf("%+v\n%s", s, w.log)
	}
	// As kubectl describe looks for them: by the object's identity.
	found, err := admin.CoreV1().Events("shop").List(ctx, metav1.ListOptions{FieldSelector: "involvedObject.kind=Deployment,involvedObject.uid=" + string(cart.UID)})
	if err != nil || len(found.Items) != 2 {
		t.Fatalf("%d events about the workload, %v", len(found.Items), err)
	}
	for _, e := range found.Items {
		switch e.Reason {
		case "PortScan":
			if e.Type != "Warning" || e.Series == nil || e.Series.Count != 2 || e.ReportingController != "netcinch.io/recommender" {
				t.Errorf("%+v", e)
			}
		case "PortScanEnded":
			if e.Type != "Normal" {
				t.Errorf("%+v", e)
			}
		default:
			t.Errorf("%+v", e)
		}
	}
	if found, err = admin.CoreV1().Events("default").List(ctx, metav1.ListOptions{FieldSelector: "involvedObject.kind=Node,involvedObject.name=node-1"}); err != nil || len(found.Items) != 1 {
		t.Errorf("%d events about the node, %v", len(found.Items), err)
	}
}

// grant gives the recommender what the documentation says that it needs.
func grant(t *testing.T, admin kubernetes.Interface) {
	t.Helper()
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	_, rules, ok := strings.Cut(string(text), "```yaml\nrules:")
	rules, _, _ = strings.Cut("rules:"+rules, "```")
	role := &rbacv1.ClusterRole{}
	if err = yaml.UnmarshalStrict([]byte(rules), role); !ok || err != nil {
		t.Fatalf("the rights in the documentation: %v", err)
	}
	role.Name = "events"
	if _, err = admin.RbacV1().ClusterRoles().Create(t.Context(), role, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	binding := &rbacv1.ClusterRoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: "events"}, RoleRef: rbacv1.RoleRef{Kind: "ClusterRole", Name: "events", APIGroup: "rbac.authorization.k8s.io"},
		Subjects: []rbacv1.Subject{{Kind: "User", Name: "netcinch", APIGroup: "rbac.authorization.k8s.io"}},
	}
	if _, err = admin.RbacV1().ClusterRoleBindings().Create(t.Context(), binding, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
}
