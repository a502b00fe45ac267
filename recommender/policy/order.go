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

// stage is when a tier is asked, before its order counts.
type stage int8

// The stages. All but the last are for host endpoints only.
const (
	stageFailsafe  stage = iota - 3
	stageUntracked       // policies with doNotTrack
	stagePreDNAT
	stageNormal
)

// suffix tells tiers of one name apart in what people read.
func (s stage) suffix() string {
	switch s {
	case stageUntracked:
		return " (untracked)"
	case stagePreDNAT:
		return " (before DNAT)"
	case stageFailsafe, stageNormal:
	}
	return ""
}

// early gives the tier in which the policies of a tier are asked that come
// before connection tracking or DNAT: it ends in pass, whatever the tier ends in.
func (c *compiler) early(name string, s stage) *tier {
	base := c.tiers[name]
	if base == nil {
		base = c.wellKnownTier(name)
	}
	made := *base
	made.name, made.stage, made.fallback = base.name+s.suffix(), s, ActionPass
	for _, known := range []*tier{c.tiers[made.name], c.tierBefore(made.name)} {
		if known != nil && *known == made {
			c.tiers[made.name] = known
			return known
		}
	}
	c.tiers[made.name] = &made
	return &made
}

// tierBefore is the tier of the engine before, if there is one.
func (c *compiler) tierBefore(name string) *tier {
	if c.before == nil {
		return nil
	}
	return c.before.tiers[name]
}

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
			t.order = math.Inf(1) // after tiers without order, before profiles by name
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
