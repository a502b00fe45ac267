// SPDX-License-Identifier: Apache-2.0

package policy

import "math"

// Order is how the kinds of policy combine on one cluster.
type Order uint8

const (
	// CalicoOrder is Calico's: cluster-wide policies and Kubernetes
	// NetworkPolicies are tiers and policies among Calico's own, and a tier with
	// an order below 1000 comes before the cluster-wide ones. It is the default,
	// because Calico is what enforces Calico's kinds wherever they exist, and
	// without them both orders give the same verdicts.
	CalicoOrder Order = iota
	// UpstreamOrder is the network policy API's: Admin policies come before,
	// and Baseline policies after, everything else, whatever the tiers' orders.
	UpstreamOrder
)

// The names and orders of the tiers that Calico makes by itself.
const (
	adminTier     = "kube-admin"
	defaultTier   = "default"
	baselineTier  = "kube-baseline"
	profileTier   = "profile"
	adminOrder    = 1_000
	defaultOrder  = 1_000_000
	baselineOrder = 10_000_000
)

// lastOrder stands for an order that is not given.
const lastOrder = math.MaxFloat64

func (c *compiler) wellKnownTier(name string) *tier {
	switch name {
	case adminTier:
		t := &tier{name: name, order: adminOrder, fallback: ActionPass, unordered: true}
		if c.options.Order == UpstreamOrder {
			t.order = math.Inf(-1)
		}
		return t
	case baselineTier:
		t := &tier{name: name, order: baselineOrder, fallback: ActionPass, unordered: true}
		if c.options.Order == UpstreamOrder {
			t.order = math.MaxFloat64
		}
		return t
	case failsafeTier:
		return guardTier()
	case profileTier:
		return &tier{name: name, order: math.Inf(1), fallback: ActionDeny}
	default:
		return &tier{name: name, order: defaultOrder, fallback: ActionDeny}
	}
}
