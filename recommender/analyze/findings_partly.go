// SPDX-License-Identifier: Apache-2.0

package analyze

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/netcinch/netcinch/recommender/cluster"
	"github.com/netcinch/netcinch/recommender/policy"
)

// reached is what one peer of a rule lets through, and what of it was used.
type reached struct {
	id       policy.AllowanceID // the first atom of the peer
	anyone   bool
	may      []string // workloads that it lets through
	did      []string // parties that used it
	ports    []string // protocol and port that were used
	widePort []string // ports as the rule has them, where they are more than one
	gaps     []string // atoms of the product that nobody used
}

// partly states, peer by peer, what of a rule in use nobody uses: workloads
// within a wide peer, ports within a range, combinations of peer and port.
func (f *finder) partly(object *cluster.Object, ids []policy.AllowanceID, gaps bool) {
	for _, group := range groupBy(ids, func(id policy.AllowanceID) any { return id.Peer }) {
		r := f.reached(group, gaps)
		if r.anyone && (f.public(group) || f.resolves(group)) {
			r.anyone, r.may = false, nil // nobody can list who will come
		}
		idle := f.idle[:0]
		for _, w := range r.may {
			if _, used := slices.BinarySearch(r.did, w); !used {
				idle = append(idle, w)
			}
		}
		f.idle = idle
		severity := SeverityMedium
		if !r.anyone && len(idle) == 0 && len(r.widePort) == 0 && len(r.gaps) == 0 {
			if !r.wideRange(f.uses.all[r.id].allowance.Peer) {
				continue
			}
			severity = SeverityInfo
		}
		n := f.of(object, FindingPartlyUsed, ScopePeer, severity, group)
		n.Title = r.title(f)
		n.Evidence = r.evidence(f, idle)
		if severity == SeverityInfo {
			n.Evidence = append(n.Evidence, "The range has more addresses. Which of them answer may change, so recommendations keep the range that its author gave.")
		}
		f.mark(group)
		f.add(n, group...)
	}
}

// wideRange says whether a peer, as it reads, is a range of more addresses than
// used it.
func (r *reached) wideRange(peer string) bool {
	text, _, _ := strings.Cut(peer, " ")
	prefix, err := netip.ParsePrefix(text)
	if err != nil {
		return false
	}
	host := prefix.Addr().BitLen() - prefix.Bits()
	return host >= 16 || 1<<host > len(r.did)
}

// public says whether outside addresses come in by the atoms.
func (f *finder) public(ids []policy.AllowanceID) bool {
	return ids[0].Direction == policy.Ingress && !f.none(ids, func(u *use) bool {
		return slices.ContainsFunc(u.edges, func(e *Edge) bool { return e.Teaches && e.Client.Kind == PartyOutside })
	})
}

func (f *finder) mark(ids []policy.AllowanceID) {
	for _, id := range ids {
		if u := f.uses.all[id]; u.entry.State == UseUsed {
			u.entry.State = UsePartly
		}
	}
}

func (f *finder) reached(ids []policy.AllowanceID, gaps bool) reached {
	r := reached{id: ids[0]}
	ports := set{}
	for _, id := range ids {
		u := f.uses.all[id]
		if !u.inUse() {
			if gaps {
				r.gaps = append(r.gaps, u.allowance.Port)
			}
			continue
		}
		for _, e := range u.edges {
			if e.Teaches {
				r.did = append(r.did, other(e, id.Direction).String())
				ports.add(PortText(e.Number, e.Port))
			}
		}
		if wide(u.allowance.Port) {
			r.widePort = append(r.widePort, u.allowance.Port)
		}
	}
	r.may, r.anyone = f.workloads(r.id)
	r.did, r.ports = sortUnique(r.did), ports.sorted()
	return r
}

// wide says whether a port item, as it reads, is more than one port.
func wide(port string) bool {
	_, number, _ := strings.Cut(port, " ")
	return port == "any port" || strings.HasPrefix(port, "all ") || strings.Contains(number, "-") && strings.Trim(number, "0123456789-") == ""
}

func (r *reached) title(f *finder) string {
	text := fmt.Sprintf("Only %s uses %s", List(r.did, 3), f.what(ScopePeer, r.id))
	if len(r.did) > 1 {
		text = strings.Replace(text, " uses ", " use ", 1)
	}
	if len(r.widePort) > 0 {
		text += ", and only on " + List(r.ports, 4)
	}
	return text
}

func (r *reached) evidence(f *finder, idle []string) []string {
	lines := []string{fmt.Sprintf("%s: %s used it on %s.", upper(f.period()), List(r.did, 8), List(r.ports, 8))}
	switch {
	case r.anyone:
		lines = append(lines, fmt.Sprintf("It is open to everybody; %s could use it and did not.", Plural(len(idle), "further workload")))
	case len(idle) > 0:
		lines = append(lines, fmt.Sprintf("It lets %s through that did not use it: %s.", Plural(len(idle), "more workload"), List(idle, 6)))
	}
	if len(r.widePort) > 0 {
		lines = append(lines, fmt.Sprintf("It allows %s.", List(r.widePort, 4)))
	}
	if len(r.gaps) > 0 {
		lines = append(lines, fmt.Sprintf("This peer never used %s, which the rule allows it too.", List(r.gaps, 6)))
	}
	return lines
}
