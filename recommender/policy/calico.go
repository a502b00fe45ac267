// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"fmt"
	"strings"

	calicov3 "github.com/projectcalico/api/pkg/apis/projectcalico/v3"

	"github.com/netcinch/netcinch/recommender/cluster"
)

// prepare reads what policies refer to, before the policies themselves: tiers,
// network sets, host endpoints and profiles. What is wrong with them is told
// when they are compiled. Of the engine before, if there is one, tiers that did
// not change stay the same values.
func (c *compiler) prepare(objects []cluster.Object, before *Engine) {
	c.before = before
	c.keepTiers(before)
	for i := range objects {
		switch typed := objects[i].Typed.(type) {
		case *calicov3.Tier:
			made, _ := c.calicoTier(typed)
			if was := c.tierBefore(made.name); was != nil && *was == *made {
				made = was
			}
			c.tiers[made.name] = made
		case *calicov3.NetworkSet:
			c.addSet(typed.Namespace, typed.Labels, typed.Spec.Nets)
		case *calicov3.GlobalNetworkSet:
			c.addSet("", typed.Labels, typed.Spec.Nets)
		case *calicov3.Profile:
			c.calico.profiles[typed.Name] = &objects[i]
		case *calicov3.FelixConfiguration:
			c.calico.felix[typed.Name] = typed
		}
	}
	for i := range objects {
		if typed, ok := objects[i].Typed.(*calicov3.HostEndpoint); ok {
			c.addHost(typed)
		}
	}
}

// keepTiers takes over the tiers that exist without an object. The tiers of
// policies that are kept must stay the same values.
func (c *compiler) keepTiers(before *Engine) {
	if before == nil {
		return
	}
	for name, was := range before.tiers {
		if implied := c.wellKnownTier(name); implied.name == name && *implied == *was {
			c.tiers[name] = was
		}
	}
}

// askTier makes the unit at hand hang on a tier.
func (c *compiler) askTier(name string) {
	c.asked("tier\x00"+name, hangsOnTiers, func(c *compiler) string {
		if t := c.tiers[name]; t != nil {
			return fmt.Sprint(*t)
		}
		return fmt.Sprint(*c.wellKnownTier(name), " implied")
	})
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
	case *calicov3.Tier:
		if _, f := c.calicoTier(typed); f != nil {
			c.leaveOut(o, f, c.top.everyEnd())
		}
	case *calicov3.NetworkSet:
		c.networkSet(o, typed.Spec.Nets)
	case *calicov3.GlobalNetworkSet:
		c.networkSet(o, typed.Spec.Nets)
	case *calicov3.HostEndpoint:
		c.hostEndpoint(o, typed)
	case *calicov3.FelixConfiguration:
		c.felixConfiguration(o, typed)
	case *calicov3.StagedNetworkPolicy, *calicov3.StagedGlobalNetworkPolicy, *calicov3.StagedKubernetesNetworkPolicy:
		// a preview, not in force
	default:
		return false
	}
	return true
}

// calicoTier reads a tier's order and default action.
func (c *compiler) calicoTier(t *calicov3.Tier) (*tier, *fault) {
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
			return made, faultAt(path{"spec", "defaultAction"}, "%q is not a tier's default action; use Deny or Pass", *a)
		}
	}
	return made, nil
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
