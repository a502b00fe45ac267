// SPDX-License-Identifier: Apache-2.0

package plan

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"maps"
	"net/netip"
	"strconv"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/rand"

	"github.com/netcinch/netcinch/deploy/demo/workload"
)

// everyAnnotation says how often a CronJob's pod starts in the demo; cron
// itself knows no seconds.
const everyAnnotation = "demo.netcinch/every"

// pool gives out pod addresses in turn: number n of each prefix, then round
// again, as a node's address manager does. The first numbers stay free.
type pool struct {
	prefixes []netip.Prefix
	used     int
}

const (
	poolFirst = 10
	poolSize  = 200
)

func (p *pool) next() []netip.Addr {
	n := byte(poolFirst + p.used%poolSize)
	p.used++
	addrs := make([]netip.Addr, 0, len(p.prefixes))
	for _, prefix := range p.prefixes {
		if prefix.Addr().Is4() {
			a := prefix.Addr().As4()
			a[3] = n
			addrs = append(addrs, netip.AddrFrom4(a))
			continue
		}
		a := prefix.Addr().As16()
		a[15] = n
		addrs = append(addrs, netip.AddrFrom16(a))
	}
	return addrs
}

// addOwner makes the replicas of one Deployment, StatefulSet or DaemonSet,
// with the names and labels that their controllers give.
func (p *Plan) addOwner(o owner) error {
	for i := range o.replicas {
		labels := maps.Clone(o.template.Labels)
		ref := reference("apps/v1", o.kind, o.meta.Namespace, o.meta.Name)
		hash := digest(o.template)
		suffix := digest(o.meta.Namespace + "/" + o.meta.Name + "/" + strconv.Itoa(i))[:5]
		name := o.meta.Name + "-" + suffix
		switch o.kind {
		case "Deployment":
			labels["pod-template-hash"] = hash
			ref = reference("apps/v1", "ReplicaSet", o.meta.Namespace, o.meta.Name+"-"+hash)
			name = o.meta.Name + "-" + hash + "-" + suffix
		case "StatefulSet":
			name = o.meta.Name + "-" + strconv.Itoa(i)
			labels["statefulset.kubernetes.io/pod-name"] = name
			labels["apps.kubernetes.io/pod-index"] = strconv.Itoa(i)
			labels["controller-revision-hash"] = o.meta.Name + "-" + hash
		case "DaemonSet":
			labels["controller-revision-hash"] = hash
			labels["pod-template-generation"] = "1"
		}
		pod, err := p.pod(o.meta.Namespace, name, labels, ref, o.template.Spec)
		if err != nil {
			return err
		}
		p.Pods = append(p.Pods, pod)
	}
	return nil
}

func (p *Plan) addJob(c *batchv1.CronJob) error {
	every, err := time.ParseDuration(c.Annotations[everyAnnotation])
	if err != nil || every < 2*time.Second {
		return fmt.Errorf("annotation %s %q: want a duration of at least 2s", everyAnnotation, c.Annotations[everyAnnotation])
	}
	template := c.Spec.JobTemplate.Spec.Template
	p.Jobs = append(p.Jobs, &Job{Namespace: c.Namespace, Name: c.Name, Every: every, run: func(at time.Time) (*Pod, error) {
		job := c.Name + "-" + strconv.FormatInt(at.Unix(), 10)
		labels := maps.Clone(template.Labels)
		ref := reference("batch/v1", "Job", c.Namespace, job)
		for _, prefix := range []string{"", "batch.kubernetes.io/"} {
			labels[prefix+"job-name"] = job
			labels[prefix+"controller-uid"] = string(ref.UID)
		}
		return p.pod(c.Namespace, job+"-"+digest(job)[:5], labels, ref, template.Spec)
	}})
	return nil
}

// pod lays out one pod from its template.
func (p *Plan) pod(namespace, name string, labels map[string]string, ref metav1.OwnerReference, spec corev1.PodSpec) (*Pod, error) {
	if len(spec.Containers) != 1 {
		return nil, fmt.Errorf("%d containers, want 1", len(spec.Containers))
	}
	c := spec.Containers[0]
	parsed, err := workload.Parse(c.Args)
	if err != nil {
		return nil, err
	}
	pod := &Pod{Container: c.Name, Spec: parsed, Args: c.Args}
	if spec.HostNetwork {
		pod.IPs = p.Node.Addresses
	} else {
		pod.IPs = p.pool.next()
		pod.Netns = NetnsPrefix + name
		pod.Link = LinkPrefix + digest(namespace + "/" + name)[:8]
	}
	spec.NodeName = p.Node.Name
	if spec.ServiceAccountName == "" {
		spec.ServiceAccountName = "default"
	}
	pod.Object = &corev1.Pod{
		TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Pod"},
		ObjectMeta: metav1.ObjectMeta{
			Namespace: namespace, Name: name, UID: uid("Pod", namespace, name),
			Labels: labels, OwnerReferences: []metav1.OwnerReference{ref},
		},
		Spec:   spec,
		Status: corev1.PodStatus{Phase: corev1.PodPending, HostIP: p.Node.Addresses[0].String()},
	}
	for _, a := range p.Node.Addresses {
		pod.Object.Status.HostIPs = append(pod.Object.Status.HostIPs, corev1.HostIP{IP: a.String()})
	}
	for _, a := range pod.IPs {
		pod.Object.Status.PodIPs = append(pod.Object.Status.PodIPs, corev1.PodIP{IP: a.String()})
	}
	pod.Object.Status.PodIP = pod.IPs[0].String()
	return pod, nil
}

// NetnsPrefix and LinkPrefix begin the names of everything that the demo adds
// to the machine, so that a leftover can be told.
const (
	NetnsPrefix = "ncd-"
	LinkPrefix  = "ncd"
)

func reference(version, kind, namespace, name string) metav1.OwnerReference {
	yes := true
	return metav1.OwnerReference{
		APIVersion: version, Kind: kind, Name: name, UID: uid(kind, namespace, name),
		Controller: &yes, BlockOwnerDeletion: &yes,
	}
}

// uid is the same in each run, so that a recorded sample stays comparable.
func uid(kind, namespace, name string) types.UID {
	sum := sha256.Sum256([]byte(kind + "/" + namespace + "/" + name))
	sum[6] = sum[6]&0x0f | 0x40 // version 4 and variant of RFC 9562
	sum[8] = sum[8]&0x3f | 0x80
	return types.UID(fmt.Sprintf("%x-%x-%x-%x-%x", sum[:4], sum[4:6], sum[6:8], sum[8:10], sum[10:16]))
}

// digest is a short hash in the alphabet that Kubernetes uses for names.
func digest(v any) string {
	data, err := json.Marshal(v)
	if err != nil { // strings and pod templates, which came from YAML
		panic(fmt.Sprintf("encoding template: %v", err))
	}
	sum := fnv.New32a()
	_, _ = sum.Write(data) // never fails
	return rand.SafeEncodeString(fmt.Sprintf("%08d%02d", sum.Sum32()%100_000_000, len(data)%100))
}
