// SPDX-License-Identifier: Apache-2.0

package question

import (
	"fmt"

	"github.com/netcinch/netcinch/recommender/cluster"
)

// unread names what a verdict may depend on and was left out when the objects
// were read: documents that nobody knows what they hold, and policies that are
// not among the read ones. Policies that were read and not compiled are the
// engine's to tell.
func unread(s *cluster.Snapshot, read map[cluster.Ref]int) []string {
	var all []string
	for _, p := range s.Problems {
		k, known, err := cluster.LookupKind(p.Ref.APIVersion, p.Ref.Kind)
		switch _, there := read[p.Ref]; {
		case there:
		case p.Ref.Kind == "" || p.Ref.APIVersion == "":
			all = append(all, fmt.Sprintf("%s is not understood: what it holds is not in this verdict", place(p)))
		case err != nil || known && k.Policy:
			all = append(all, fmt.Sprintf("%s (%s) was left out; it may apply here", p.Ref, place(p)))
		}
	}
	return all
}

func place(p cluster.Problem) string {
	switch {
	case p.File == "":
		return "an object"
	case p.Line == 0:
		return p.File
	}
	return fmt.Sprintf("%s:%d", p.File, p.Line)
}
