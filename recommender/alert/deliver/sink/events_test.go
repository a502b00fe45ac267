// SPDX-License-Identifier: Apache-2.0

package sink

import (
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	authv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/kubernetes/fake"
	ktest "k8s.io/client-go/testing"

	"github.com/netcinch/netcinch/recommender/alert"
	"github.com/netcinch/netcinch/recommender/alert/deliver/config"
	"github.com/netcinch/netcinch/recommender/analyze"
)

// wrongEvent says what an API server would refuse of a new event, by the
// documentation of events.k8s.io/v1.
func wrongEvent(e *eventsv1.Event) string {
	switch {
	case len(validation.IsDNS1123Subdomain(e.Name)) > 0:
		return "name " + e.Name
	case e.EventTime.IsZero():
		return "no eventTime"
	case len(validation.IsQualifiedName(e.ReportingController)) > 0:
		return "reportingController"
	case e.ReportingInstance == "" || len(e.ReportingInstance) > 128:
		return "reportingInstance"
	case e.Action == "" || len(e.Action) > 128:
		return "action"
	case e.Reason == "" || len(e.Reason) > 128:
		return "reason"
	case len(e.Note) > 1024:
		return "note"
	case e.Type != corev1.EventTypeNormal && e.Type != corev1.EventTypeWarning:
		return "type"
	case e.Regarding.Namespace != "" && e.Regarding.Namespace != e.Namespace:
		return "namespace is not that of the object"
	case e.Regarding.Namespace == "" && e.Namespace != "default":
		return "an object without namespace, in " + e.Namespace
	case e.Series != nil && (e.Series.Count < 2 || e.Series.LastObservedTime.IsZero()):
		return "series"
	}
	return ""
}

// apiServer is a stand-in that refuses what a real one would.
func apiServer(t *testing.T, objects ...runtime.Object) *fake.Clientset {
	t.Helper()
	c := fake.NewClientset(objects...)
	check := func(a ktest.Action) (bool, runtime.Object, error) {
		e, ok := a.(ktest.CreateAction).GetObject().(*eventsv1.Event)
		if !ok {
			return false, nil, nil
		}
		if wrong := wrongEvent(e); wrong != "" {
			return true, nil, apierrors.NewBadRequest(wrong)
		}
		return false, nil, nil
	}
	c.PrependReactor("create", "events", check)
	c.PrependReactor("update", "events", check)
	return c
}

func testEvents(c kubernetes.Interface) *events {
	return newEvents(&config.Kubernetes{}, texts, Options{
		Now: func() time.Time { return noon }, Instance: "netcinch-0", Clusters: []string{"prod"},
		Kubernetes: func(cluster string) (kubernetes.Interface, error) {
			if cluster != "prod" {
				return nil, errors.New("no such cluster")
			}
			return c, nil
		},
	})
}

func listed(t *testing.T, c kubernetes.Interface, namespace string) []eventsv1.Event {
	t.Helper()
	list, err := c.EventsV1().Events(namespace).List(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return list.Items
}

// The event is in the workload's namespace, about the workload, found by its
// identity; what comes again counts in a series; what is over is another one.
func TestEvents(t *testing.T) {
	c := apiServer(t, &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "cart", UID: "uid-1"}})
	e := testEvents(c)
	a := sample(alert.Firing)
	a.Server = &analyze.Party{Kind: analyze.PartyWorkload, Namespace: "data", WorkloadKind: "StatefulSet", Name: "db"}
	if err := e.Send(t.Context(), []Message{{Alert: a}}); err != nil {
		t.Fatal(err)
	}
	all := listed(t, c, "shop")
	if len(all) != 1 {
		t.Fatalf("%d events", len(all))
	}
	one := all[0]
	want := corev1.ObjectReference{APIVersion: "apps/v1", Kind: "Deployment", Namespace: "shop", Name: "cart", UID: "uid-1"}
	if one.Regarding != want || one.Related == nil || one.Related.Name != "db" || one.Type != "Warning" || one.Reason != "UnseenOutsideConnection" || one.Series != nil {
		t.Errorf("%+v", one)
	}
	if !strings.HasPrefix(one.Note, "shop/cart talks with") || !strings.Contains(one.Note, "To cut it: Remove the peer.") {
		t.Errorf("note %q", one.Note)
	}
	a.Revision = 4
	for range 2 { // the second is a repetition
		if err := e.Send(t.Context(), []Message{{Alert: a}}); err != nil {
			t.Fatal(err)
		}
	}
	if all = listed(t, c, "shop"); len(all) != 1 || all[0].Series == nil || all[0].Series.Count != 4 {
		t.Errorf("%+v", all)
	}
	over := sample(alert.Resolved)
	over.Text = strings.Repeat("ä", 2000)
	if err := e.Send(t.Context(), []Message{{Alert: over}}); err != nil {
		t.Fatal(err)
	}
	if all = listed(t, c, "shop"); len(all) != 2 {
		t.Fatalf("%d events", len(all))
	}
	for _, one := range all {
		if strings.HasSuffix(one.Name, "-ended") && (one.Type != "Normal" || one.Reason != "UnseenOutsideConnectionEnded") {
			t.Errorf("%+v", one)
		}
	}
}

// What is about no workload, about the server, about a node, or about nothing
// in the cluster, has its place, too.
func TestEventsAbout(t *testing.T) {
	outside := &analyze.Party{Kind: analyze.PartyOutside, DNS: "x.example"}
	db := &analyze.Party{Kind: analyze.PartyWorkload, Namespace: "data", WorkloadKind: "StatefulSet", Name: "db"}
	for _, tt := range []struct {
		name      string
		change    func(*alert.Alert)
		namespace string
		kind      string
	}{
		{"from outside", func(a *alert.Alert) { a.Client, a.Server = outside, db }, "data", "StatefulSet"},
		{"no pair", func(a *alert.Alert) { a.Client, a.Server = nil, nil }, "shop", "Deployment"},
		{"a node", func(a *alert.Alert) { a.Client, a.Server, a.Workloads, a.Node = nil, nil, nil, "node-1" }, "default", "Node"},
		{"nothing", func(a *alert.Alert) { a.Client, a.Server, a.Workloads = nil, nil, nil }, "default", "Namespace"},
		{"a long name", func(a *alert.Alert) { a.Client.Name = strings.Repeat("a.", 125) + "b" }, "shop", "Deployment"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := apiServer(t)
			a := sample(alert.Firing)
			tt.change(&a)
			if err := testEvents(c).Send(t.Context(), []Message{{Alert: a}}); err != nil {
				t.Fatal(err)
			}
			all := listed(t, c, tt.namespace)
			if len(all) != 1 || all[0].Regarding.Kind != tt.kind {
				t.Errorf("%+v", all)
			}
		})
	}
}

func TestEventsFail(t *testing.T) {
	resource := schema.GroupResource{Group: "events.k8s.io", Resource: "events"}
	ending := apierrors.NewForbidden(resource, "x", errors.New("ending"))
	ending.ErrStatus.Details.Causes = []metav1.StatusCause{{Type: corev1.NamespaceTerminatingCause}}
	busy := apierrors.NewTooManyRequests("busy", 7)
	for _, tt := range []struct {
		name    string
		err     error
		refused bool
		wait    time.Duration
	}{
		{"no rights", apierrors.NewForbidden(resource, "x", errors.New("no")), false, 0},
		{"the namespace ends", ending, true, 0},
		{"the namespace is gone", apierrors.NewNotFound(schema.GroupResource{Resource: "namespaces"}, "shop"), true, 0},
		{"busy", busy, false, 7 * time.Second},
		{"invalid", apierrors.NewInvalid(schema.GroupKind{Kind: "Event"}, "x", nil), true, 0},
		{"a fault", apierrors.NewGenericServerResponse(http.StatusInternalServerError, "post", resource, "x", "", 0, true), false, 0},
	} {
		c := fake.NewClientset()
		c.PrependReactor("create", "events", func(ktest.Action) (bool, runtime.Object, error) { return true, nil, tt.err })
		err := testEvents(c).Send(t.Context(), []Message{{Alert: sample(alert.Firing)}})
		_, refused := errors.AsType[*RefusedError](err)
		if err == nil || refused != tt.refused || WaitOf(err) != tt.wait {
			t.Errorf("%s: %v, refused %v, wait %v", tt.name, err, refused, WaitOf(err))
		}
	}
	other := sample(alert.Firing)
	other.Cluster = "test"
	if err := testEvents(fake.NewClientset()).Send(t.Context(), []Message{{Alert: other}}); err == nil || !strings.Contains(err.Error(), "no such cluster") {
		t.Errorf("%v", err)
	}
}

// Missing rights are named before anything is to be told.
func TestEventsProbe(t *testing.T) {
	for verb, want := range map[string]string{"": "", "update": `the recommender may not update events (events.k8s.io) in the cluster "prod"`} {
		c := fake.NewClientset()
		c.PrependReactor("create", "selfsubjectaccessreviews", func(a ktest.Action) (bool, runtime.Object, error) {
			review := a.(ktest.CreateAction).GetObject().(*authv1.SelfSubjectAccessReview)
			review.Status.Allowed = review.Spec.ResourceAttributes.Verb != verb
			return true, review, nil
		})
		err := testEvents(c).Probe(t.Context())
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("without %q: %v", verb, err)
		}
	}
}
