// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"strings"

	calicov3 "github.com/projectcalico/api/pkg/apis/projectcalico/v3"

	"github.com/netcinch/netcinch/recommender/cluster"
)

// prepare reads what policies refer to, before the policies themselves: tiers,
// network sets, host endpoints and profiles.
func (c *compiler) prepare(objects []cluster.Object) {
	for i := range objects {
		o := &objects[i]
		switch typed := o.Typed.(type) {
		case *calicov3.Tier:
			c.calicoTier(o, typed)
		case *calicov3.NetworkSet:
			c.networkSet(o, typed.Namespace, typed.Labels, typed.Spec.Nets)
		case *calicov3.GlobalNetworkSet:
			c.networkSet(o, "", typed.Labels, typed.Spec.Nets)
		case *calicov3.Profile:
			c.calico.profiles[typed.Name] = o
		}
	}
	for i := range objects {
		if typed, ok := objects[i].Typed.(*calicov3.HostEndpoint); ok {
			c.hostEndpoint(&objects[i], typed)
		}
	}
}

// calicoObject compiles one object of Calico's; false where it is none. Staged
// policies are understood and never enforced.
func (c *compiler) calicoObject(o *cluster.Object) bool {
	switch typed := o.Typed.(type) {
	case *calicov3.NetworkPolicy:
		c.calicoNetworkPolicy(o, typed)
	case *calicov3.GlobalNetworkPolicy:
		c.calicoGlobalPolicy(o, typed)
	case *calicov3.Profile:
		c.calicoProfile(o, typed)
	case *calicov3.Tier, *calicov3.NetworkSet, *calicov3.GlobalNetworkSet, *calicov3.HostEndpoint:
		// read by prepare
	case *calicov3.StagedNetworkPolicy, *calicov3.StagedGlobalNetworkPolicy, *calicov3.StagedKubernetesNetworkPolicy:
		// a preview, not in force
	default:
		return false
	}
	return true
}

// calicoTier notes a tier's order and default action.
func (c *compiler) calicoTier(o *cluster.Object, t *calicov3.Tier) {
	made := c.wellKnownTier(tierName(t.Name))
	made.name = tierName(t.Name)
	if wellKnown := made.name == adminTier || made.name == defaultTier || made.name == baselineTier; !wellKnown {
		made.order = lastOrder
		if t.Spec.Order != nil {
			made.order = *t.Spec.Order
		}
	}
	if a := t.Spec.DefaultAction; a != nil {
		switch *a {
		case calicov3.Pass:
			made.fallback = ActionPass
		case calicov3.Deny:
			made.fallback = ActionDeny
		case calicov3.Allow, calicov3.Log:
			fallthrough
		default:
			c.leaveOut(o, faultAt(path{"spec", "defaultAction"}, "%q is not a tier's default action; use Deny or Pass", *a), c.top.everyEnd())
		}
	}
	c.tiers[made.name] = made
}

// tierName folds the older names of the cluster-wide tiers into the newer.
func tierName(name string) string {
	switch name {
	case "":
		return defaultTier
	case "adminnetworkpolicy":
		return adminTier
	case "baselineadminnetworkpolicy":
		return baselineTier
	default:
		return name
	}
}

// stored says whether an object is as Calico's backend keeps it, where no
// admission has filled in defaults.
func stored(o *cluster.Object) bool {
	return strings.HasPrefix(o.Ref.APIVersion, "crd.projectcalico.org/")
}
