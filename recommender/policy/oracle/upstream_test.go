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
	wide "sigs.k8s.io/kube-network-policies/plugins/npa-v1alpha2"
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
	admin, baseline *wide.ClusterNetworkPolicy
	policies        []*networkingv1.NetworkPolicy
	namespaces      map[string]map[string]string
}

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
	cnps := npainformers.NewSharedInformerFactory(npafake.NewSimpleClientset(), 0).Policy().V1alpha2().ClusterNetworkPolicies()
	for _, o := range s.Policies {
		switch typed := o.Typed.(type) {
		case *networkingv1.NetworkPolicy:
			u.policies = append(u.policies, defaulted(typed))
		case *v1alpha2.ClusterNetworkPolicy:
			if err := cnps.Informer().GetStore().Add(typed); err != nil {
				t.Fatal(err)
			}
		}
	}
	u.admin = wide.NewClusterNetworkPolicy(v1alpha2.AdminTier, cnps, nil, nodes.Lister())
	u.baseline = wide.NewClusterNetworkPolicy(v1alpha2.BaselineTier, cnps, nil, nodes.Lister())
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
	ctx := context.Background()
	egress = u.direction(p.src, networkingv1.PolicyTypeEgress, &p.Packet, p.src, p.dst, func(w *wide.ClusterNetworkPolicy) (api.Verdict, error) {
		return w.EvaluateEgress(ctx, &p.Packet, p.src, p.dst)
	})
	ingress = u.direction(p.dst, networkingv1.PolicyTypeIngress, &p.Packet, p.src, p.dst, func(w *wide.ClusterNetworkPolicy) (api.Verdict, error) {
		return w.EvaluateIngress(ctx, &p.Packet, p.src, p.dst)
	})
	return egress, ingress
}

func (u *upstream) direction(subject *api.PodInfo, direction networkingv1.PolicyType, p *network.Packet, src, dst *api.PodInfo, ask func(*wide.ClusterNetworkPolicy) (api.Verdict, error)) bool {
	if subject == nil {
		return true
	}
	if v, err := ask(u.admin); err != nil || v != api.VerdictNext {
		return v == api.VerdictAccept
	}
	if selecting := u.selecting(subject, direction); len(selecting) > 0 {
		if direction == networkingv1.PolicyTypeEgress {
			return networkpolicy.EvaluatePolicyDirection(context.Background(), selecting, direction, src, p.SrcPort, dst, p.DstIP, p.DstPort, p.Proto)
		}
		return networkpolicy.EvaluatePolicyDirection(context.Background(), selecting, direction, dst, p.DstPort, src, p.SrcIP, p.SrcPort, p.Proto)
	}
	v, err := ask(u.baseline)
	return err == nil && v != api.VerdictDeny
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
