// SPDX-License-Identifier: Apache-2.0

package plan

import (
	"fmt"
	"net/netip"

	"github.com/netcinch/netcinch/deploy/demo/workload"
)

// The world beyond the node: addresses set aside for documentation (RFC 5737)
// and a name that no one can own (RFC 2606).
var (
	// ProviderAddress is the payment provider's, behind ProviderName.
	ProviderAddress = netip.MustParseAddr("203.0.113.80")
	// VisitorAddress is where the shop's visitors come from.
	VisitorAddress = netip.MustParseAddr("198.51.100.7")
)

// The provider's name, and the one that it is an alias of.
const (
	ProviderName  = "api.fastpay.example."
	providerAlias = "edge.fastpay.example."
)

// addOutside lays out the payment provider and a visitor. The visitor comes
// in by the frontend's node port.
func (p *Plan) addOutside() error {
	p.Zone.Aliases[ProviderName] = providerAlias
	p.Zone.Addresses[providerAlias] = []netip.Addr{ProviderAddress}
	var door netip.AddrPort
	for _, r := range p.Routes {
		if r.Dialled.Addr() == p.Node.Addresses[0] {
			door = r.Dialled
		}
	}
	if !door.IsValid() {
		return fmt.Errorf("planning the visitor: no Service of type NodePort with a nodePort in the manifests")
	}
	for _, o := range []Outside{
		{Name: "provider", Address: ProviderAddress, Args: []string{"--serve=http/443"}},
		{Name: "visitor", Address: VisitorAddress, Args: []string{"--call=every 700ms http://" + door.String() + "/"}},
	} {
		var err error
		if o.Spec, err = workload.Parse(o.Args); err != nil {
			return fmt.Errorf("planning %s: %w", o.Name, err)
		}
		p.Outside = append(p.Outside, o)
	}
	return nil
}

// The one attempt that the policies deny: the scraper at the database's
// metrics. A real cluster's network plugin would derive this drop from the
// policies; a test holds the two against each other.
const (
	deniedFrom = "scraper"
	deniedTo   = "database"
	deniedPort = 9187
)

func (p *Plan) addDrops() error {
	for _, from := range p.Pods {
		for _, to := range p.Pods {
			if from.Container != deniedFrom || to.Container != deniedTo {
				continue
			}
			for i := range from.IPs {
				p.Drops = append(p.Drops, Drop{From: from.IPs[i], To: to.IPs[i], Port: deniedPort})
			}
		}
	}
	if len(p.Drops) == 0 {
		return fmt.Errorf("planning the denied attempt: want containers %s and %s in the manifests", deniedFrom, deniedTo)
	}
	return nil
}

// DeniedCall says whether a call is the one that the policies deny.
func (p *Plan) DeniedCall(container string, c workload.Call) bool {
	return container == deniedFrom && c.Port == deniedPort
}
