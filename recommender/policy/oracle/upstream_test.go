// SPDX-License-Identifier: Apache-2.0

package oracle

import (
	"context"
	"net"
	"testing"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/informers"
	kubefake "k8s.io/client-go/kubernetes/fake"
	"sigs.k8s.io/kube-network-policies/pkg/api"
	"sigs.k8s.io/kube-network-policies/pkg/network"
	"sigs.k8s.io/kube-network-policies/pkg/networkpolicy"
	first "sigs.k8s.io/kube-network-policies/plugins/npa-v1alpha1"
	wide "sigs.k8s.io/kube-network-policies/plugins/npa-v1alpha2"
	"sigs.k8s.io/network-policy-api/apis/v1alpha1"
	"sigs.k8s.io/network-policy-api/apis/v1alpha2"
	npafake "sigs.k8s.io/network-policy-api/pkg/client/clientset/versioned/fake"
	npainformers "sigs.k8s.io/network-policy-api/pkg/client/informers/externalversions"

	"github.com/netcinch/netcinch/recommender/cluster"
	"github.com/netcinch/netcinch/recommender/policy/policytest"
)

// upstream is judge 2, kube-network-policies: its evaluators of Kubernetes and
// cluster-wide policies, in its order. Of the Kubernetes policies it is given
// those of the direction only: asked about both it answers Accept where a policy
// isolates the other direction, and never comes to Baseline. The API says:
// "Baseline tier [is] evaluated [for] pods not selected by a v1.NetworkPolicy"
// and a NetworkPolicy selects per direction.
type upstream struct {
	admin, baseline []evaluator
	policies        []*networkingv1.NetworkPolicy
	namespaces      map[string]map[string]string
}

// evaluator is one kind of cluster-wide policy.
type evaluator interface {
	EvaluateEgress(context.Context, *network.Packet, *api.PodInfo, *api.PodInfo) (api.Verdict, error)
	EvaluateIngress(context.Context, *network.Packet, *api.PodInfo, *api.PodInfo) (api.Verdict, error)
}

// noNames resolves no DNS name.
type noNames struct{}

func (noNames) ContainsIP(string, net.IP) bool { return false }

func newUpstream(t testing.TB, s *cluster.Snapshot) *upstream {
	t.Helper()
	u := &upstream{namespaces: namespaceLabels(s)}
	nodes := informers.NewSharedInformerFactory(kubefake.NewClientset(), 0).Core().V1().Nodes()
	for _, n := range s.Nodes {
		node := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: n.Name, Labels: n.Labels}}
		for _, a := range n.Addresses {
			node.Status.Addresses = append(node.Status.Addresses, corev1.NodeAddress{Type: corev1.NodeInternalIP, Address: a.String()})
		}
		if err := nodes.Informer().GetStore().Add(node); err != nil {
			t.Fatal(err)
		}
	}
	kinds := npainformers.NewSharedInformerFactory(npafake.NewSimpleClientset(), 0).Policy()
	cnps, anps, banps := kinds.V1alpha2().ClusterNetworkPolicies(), kinds.V1alpha1().AdminNetworkPolicies(), kinds.V1alpha1().BaselineAdminNetworkPolicies()
	var err error
	for _, o := range s.Policies {
		switch typed := o.Typed.(type) {
		case *networkingv1.NetworkPolicy:
			u.policies = append(u.policies, defaulted(typed))
		case *v1alpha2.ClusterNetworkPolicy:
			err = cnps.Informer().GetStore().Add(typed)
		case *v1alpha1.AdminNetworkPolicy:
			err = anps.Informer().GetStore().Add(typed)
		case *v1alpha1.BaselineAdminNetworkPolicy:
			err = banps.Informer().GetStore().Add(typed)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	u.admin = []evaluator{first.NewAdminNetworkPolicy(anps, noNames{}), wide.NewClusterNetworkPolicy(v1alpha2.AdminTier, cnps, nil, nodes.Lister())}
	u.baseline = []evaluator{first.NewBaselineAdminNetworkPolicy(banps), wide.NewClusterNetworkPolicy(v1alpha2.BaselineTier, cnps, nil, nodes.Lister())}
	return u
}

func (u *upstream) pod(p *policytest.Peer) *api.PodInfo {
	if p.Pod == nil {
		return nil
	}
	out := &api.PodInfo{Name: p.Pod.Name, Labels: p.Pod.Labels, Namespace: &api.Namespace{Name: p.Pod.Namespace, Labels: u.namespaces[p.Pod.Namespace]}, Node: &api.Node{Name: p.Pod.Node}}
	for _, x := range p.Pod.Ports {
		out.ContainerPorts = append(out.ContainerPorts, &api.ContainerPort{Name: x.Name, Port: int32(x.Port), Protocol: x.Protocol.String()})
	}
	return out
}

func (u *upstream) judge(p *policytest.Probe) (egress, ingress bool) {
	asked := u.packet(p)
	return u.allowed(&asked)
}

// packet is a probe in kube-network-policies' form.
type packet struct {
	network.Packet
	src, dst *api.PodInfo
}

func (u *upstream) packet(p *policytest.Probe) packet {
	return packet{
		Packet: network.Packet{SrcIP: net.IP(p.From.Addr.AsSlice()), DstIP: net.IP(p.To.Addr.AsSlice()), Proto: corev1.Protocol(p.Protocol.String()), SrcPort: 34567, DstPort: int(p.Port)},
		src:    u.pod(&p.From), dst: u.pod(&p.To),
	}
}

func (u *upstream) allowed(p *packet) (egress, ingress bool) {
	return u.direction(p.src, networkingv1.PolicyTypeEgress, p), u.direction(p.dst, networkingv1.PolicyTypeIngress, p)
}

func (u *upstream) direction(subject *api.PodInfo, direction networkingv1.PolicyType, p *packet) bool {
	if subject == nil {
		return true
	}
	if v := decided(u.admin, direction, p); v != api.VerdictNext {
		return v == api.VerdictAccept
	}
	if selecting := u.selecting(subject, direction); len(selecting) > 0 {
		if direction == networkingv1.PolicyTypeEgress {
			return networkpolicy.EvaluatePolicyDirection(context.Background(), selecting, direction, p.src, p.SrcPort, p.dst, p.DstIP, p.DstPort, p.Proto)
		}
		return networkpolicy.EvaluatePolicyDirection(context.Background(), selecting, direction, p.dst, p.DstPort, p.src, p.SrcIP, p.SrcPort, p.Proto)
	}
	return decided(u.baseline, direction, p) != api.VerdictDeny
}

// decided gives the first verdict of evaluators that is one; an error denies.
func decided(evaluators []evaluator, direction networkingv1.PolicyType, p *packet) api.Verdict {
	for _, e := range evaluators {
		ask := e.EvaluateIngress
		if direction == networkingv1.PolicyTypeEgress {
			ask = e.EvaluateEgress
		}
		if v, err := ask(context.Background(), &p.Packet, p.src, p.dst); err != nil {
			return api.VerdictDeny
		} else if v != api.VerdictNext {
			return v
		}
	}
	return api.VerdictNext
}

func (u *upstream) selecting(pod *api.PodInfo, direction networkingv1.PolicyType) []*networkingv1.NetworkPolicy {
	var out []*networkingv1.NetworkPolicy
	for _, np := range u.policies {
		if np.Namespace != pod.Namespace.Name || !networkpolicy.MatchesSelector(&np.Spec.PodSelector, pod.Labels) {
			continue
		}
		for _, t := range np.Spec.PolicyTypes {
			if t == direction {
				out = append(out, np)
				break
			}
		}
	}
	return out
}
