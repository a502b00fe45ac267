// SPDX-License-Identifier: Apache-2.0

package api

import (
	"fmt"
	"math"
	"net/url"
	"slices"
	"strconv"

	"github.com/netcinch/netcinch/recommender/policy"
	"github.com/netcinch/netcinch/recommender/recommend"
)

// wishes are the parameters that say how recommendations are made.
var wishes = []string{"format", "direction", "allowExtra", "defaultDeny", "tier", "order", "workload"}

// wish reads them into what is asked of the advice. usual says that it is what
// every view has already.
func wish(values url.Values) (in recommend.Input, usual bool, err error) {
	in.Format = recommend.Format(values.Get("format"))
	if in.Format == "" {
		in.Format = recommend.Kubernetes
	}
	if !slices.Contains(recommend.Formats, in.Format) {
		return in, false, wrong("format", "There is no format %q; there are kubernetes, calico, calico-staged and cluster.", in.Format)
	}
	switch text := values.Get("direction"); text {
	case "", "both":
	case "ingress":
		in.Scope.Directions = []string{policy.Ingress.String()}
	case "egress":
		in.Scope.Directions = []string{policy.Egress.String()}
	default:
		return in, false, wrong("direction", "There is no direction %q; there are ingress, egress and both.", text)
	}
	if text := values.Get("allowExtra"); text != "" {
		if in.AllowExtra, err = strconv.Atoi(text); err != nil || in.AllowExtra < 0 {
			return in, false, wrong("allowExtra", "%q is no number of pairs; give 0 or more.", text)
		}
	}
	if text := values.Get("defaultDeny"); text != "" {
		if in.DefaultDeny, err = strconv.ParseBool(text); err != nil {
			return in, false, wrong("defaultDeny", "%q is neither true nor false.", text)
		}
	}
	in.Calico.Tier = values.Get("tier")
	if text := values.Get("workload"); text != "" {
		in.Scope.Workloads = []string{text}
	}
	if text := values.Get("order"); text != "" {
		if in.Calico.Order, err = strconv.ParseFloat(text, 64); err != nil || math.IsNaN(in.Calico.Order) || math.IsInf(in.Calico.Order, 0) {
			return in, false, wrong("order", "%q is no number.", text)
		}
	}
	usual = in.Format == recommend.Kubernetes && len(in.Scope.Directions) == 0 && in.AllowExtra == 0 && !in.DefaultDeny && len(in.Scope.Workloads) == 0
	return in, usual, nil
}

// wishKey tells wishes apart.
func wishKey(in *recommend.Input) string {
	return fmt.Sprintf("%s %v %d %t %q %g %q", in.Format, in.Scope.Directions, in.AllowExtra, in.DefaultDeny, in.Calico.Tier, in.Calico.Order, in.Scope.Workloads)
}
