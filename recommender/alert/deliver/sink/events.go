// SPDX-License-Identifier: Apache-2.0

package sink

import (
	"context"
	"errors"
	"fmt"
	"strings"

	authv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/netcinch/netcinch/recommender/alert/deliver/config"
)

// Bounds of the API server's, in bytes.
const (
	maxNote     = 1024
	maxReason   = 128
	maxInstance = 128
)

// reporter is who says it, in the words of the Events API.
const reporter = "netcinch.io/recommender"

// elsewhere is the namespace of events about what is in none, as the kubelet
// has it.
const elsewhere = "default"

// events writes Kubernetes Events about the workload that an alert is about:
// one event an alert and outcome, which counts as a series where it comes again.
type events struct {
	config *config.Kubernetes
	texts  Texts
	o      Options
}

func newEvents(c *config.Kubernetes, t Texts, o Options) *events {
	if len(o.Instance) > maxInstance {
		o.Instance = o.Instance[:maxInstance]
	}
	if o.Instance == "" {
		o.Instance = "netcinch"
	}
	return &events{config: c, texts: t, o: o}
}

func (*events) Batch() int { return 16 }

func (e *events) Send(ctx context.Context, messages []Message) error {
	for i := range messages {
		if err := e.send(ctx, &messages[i]); err != nil {
			return err
		}
	}
	return nil
}

func (e *events) client(cluster string) (kubernetes.Interface, error) {
	if e.o.Kubernetes == nil {
		return nil, errors.New("there is no API server to write events to")
	}
	c, err := e.o.Kubernetes(cluster)
	if err != nil {
		return nil, fmt.Errorf("finding the API server of the cluster %q: %w", cluster, err)
	}
	return c, nil
}

func (e *events) send(ctx context.Context, m *Message) error {
	c, err := e.client(m.Alert.Cluster)
	if err != nil {
		return err
	}
	event, err := e.event(m)
	if err != nil {
		return err
	}
	complete(ctx, c, &event.Regarding)
	_, err = c.EventsV1().Events(event.Namespace).Create(ctx, event, metav1.CreateOptions{})
	if apierrors.IsAlreadyExists(err) {
		err = e.again(ctx, c, event, m.Alert.Revision)
	}
	return judged(err)
}

// again counts an event that is there already. The count is the revision, so
// that a repetition counts once.
func (e *events) again(ctx context.Context, c kubernetes.Interface, event *eventsv1.Event, revision int) error {
	known, err := c.EventsV1().Events(event.Namespace).Get(ctx, event.Name, metav1.GetOptions{})
	if err != nil {
		return err
	}
	count := int32(max(2, min(revision, 1<<30))) //nolint:gosec // bounded
	if known.Series != nil {
		count = max(count, known.Series.Count)
	}
	known.Series = &eventsv1.EventSeries{Count: count, LastObservedTime: metav1.NewMicroTime(e.o.Now())}
	_, err = c.EventsV1().Events(event.Namespace).Update(ctx, known, metav1.UpdateOptions{})
	return err
}

func (e *events) event(m *Message) (*eventsv1.Event, error) {
	d := e.texts.DataOf(&m.Alert)
	note, err := render(e.config.Note, &d, func(d *Data) string { return d.Title + "\n" + describe(d) })
	if err != nil {
		return nil, err
	}
	regarding, related := about(&d)
	namespace := regarding.Namespace
	if namespace == "" {
		namespace = elsewhere
	}
	out := &eventsv1.Event{
		ObjectMeta: metav1.ObjectMeta{Name: nameOf(m, regarding.Name), Namespace: namespace, Labels: map[string]string{"app.kubernetes.io/managed-by": "netcinch"}},
		EventTime:  metav1.NewMicroTime(e.o.Now()), ReportingController: reporter, ReportingInstance: e.o.Instance,
		Action: "Alert", Reason: shorten(d.Name, maxReason), Regarding: regarding, Related: related, Note: shorten(note, maxNote), Type: corev1.EventTypeWarning,
	}
	if !d.Firing {
		out.Action, out.Reason, out.Type = "Close", shorten(d.Name+"Ended", maxReason), corev1.EventTypeNormal
	}
	return out, nil
}

// nameOf names the event of an alert: the same as long as it fires, another one
// when it is over.
func nameOf(m *Message, object string) string {
	const longest = 200 // of 253, with what follows
	if len(object) > longest {
		object = strings.TrimRight(object[:longest], "-.")
	}
	state := "firing"
	if !m.Firing() {
		state = "ended"
	}
	return strings.ToLower(object) + ".netcinch-" + m.Alert.ID + "-" + state
}

// about gives the objects that an alert is about: the first workload, and the
// other one where there is a pair.
func about(d *Data) (first corev1.ObjectReference, second *corev1.ObjectReference) {
	var all []corev1.ObjectReference
	for _, p := range []*party{partyOf(d.Client), partyOf(d.Server)} {
		if p != nil {
			all = append(all, p.reference())
		}
	}
	if len(all) == 0 && len(d.Workloads) > 0 {
		namespace, name, _ := strings.Cut(d.Workloads[0], "/")
		all = append(all, (&party{namespace, "Deployment", name}).reference())
	}
	switch {
	case len(all) > 1:
		return all[0], &all[1]
	case len(all) == 1:
		return all[0], nil
	case d.Node != "":
		return corev1.ObjectReference{APIVersion: "v1", Kind: "Node", Name: d.Node}, nil
	}
	return corev1.ObjectReference{APIVersion: "v1", Kind: "Namespace", Name: elsewhere, Namespace: elsewhere}, nil
}

// judged says whether another try could help.
func judged(err error) error {
	if err == nil {
		return nil
	}
	switch {
	case apierrors.IsInvalid(err), apierrors.IsBadRequest(err), apierrors.IsNotFound(err), apierrors.HasStatusCause(err, corev1.NamespaceTerminatingCause):
		return &RefusedError{Reason: "the API server: " + err.Error()}
	}
	out := fmt.Errorf("writing an event: %w", err)
	if seconds, ok := apierrors.SuggestsClientDelay(err); ok && seconds > 0 {
		return &waitError{out, seconds2wait(seconds)}
	}
	return out
}

// Probe asks every cluster whether we may write events.
func (e *events) Probe(ctx context.Context) error {
	for _, cluster := range e.o.Clusters {
		c, err := e.client(cluster)
		if err != nil {
			return err
		}
		for _, verb := range []string{"create", "update"} {
			review := &authv1.SelfSubjectAccessReview{Spec: authv1.SelfSubjectAccessReviewSpec{
				ResourceAttributes: &authv1.ResourceAttributes{Verb: verb, Group: "events.k8s.io", Resource: "events"},
			}}
			answer, err := c.AuthorizationV1().SelfSubjectAccessReviews().Create(ctx, review, metav1.CreateOptions{})
			if err != nil {
				return fmt.Errorf("asking the API server of the cluster %q whether events may be written: %w", cluster, err)
			}
			if !answer.Status.Allowed {
				return fmt.Errorf("the recommender may not %s events (events.k8s.io) in the cluster %q; grant it a ClusterRole that can", verb, cluster)
			}
		}
	}
	return nil
}
