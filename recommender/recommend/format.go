// SPDX-License-Identifier: Apache-2.0

package recommend

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	calicov3 "github.com/projectcalico/api/pkg/apis/projectcalico/v3"

	"github.com/netcinch/netcinch/recommender/cluster"
	"github.com/netcinch/netcinch/recommender/flow"
	"github.com/netcinch/netcinch/recommender/policy"
)

// Format is the kind of policy that new recommendations are written as. An
// existing policy is tightened in its author's kind whatever the format.
type Format string

// The formats. The zero value is Kubernetes.
const (
	Kubernetes   Format = "kubernetes"    // NetworkPolicy
	Calico       Format = "calico"        // NetworkPolicy of Calico v3, with network sets for names outside
	CalicoStaged Format = "calico-staged" // staged policies of Calico, which enforce nothing: a trial of new and of tightened ones
	ClusterWide  Format = "cluster"       // ClusterNetworkPolicy: guard rails for all pods
)

// Formats lists them.
var Formats = []Format{Kubernetes, Calico, CalicoStaged, ClusterWide}

// Scope says which new policies are made; the zero value makes all.
type Scope struct {
	// Directions: Ingress, Egress or both; nil means both.
	Directions []string
	// Namespaces and Workloads (namespace/name) limit whom new policies are made
	// for and which policies are tightened; nil means all.
	Namespaces []string
	Workloads  []string
}

// has says whether a workload is in the scope.
func (s Scope) has(wl flow.Workload) bool {
	return (len(s.Namespaces) == 0 || slices.Contains(s.Namespaces, wl.Namespace)) && (len(s.Workloads) == 0 || slices.Contains(s.Workloads, wl.String()))
}

func (s Scope) speaksOf(d policy.Direction) bool {
	return len(s.Directions) == 0 || slices.Contains(s.Directions, d.String())
}

// touches says whether a policy is in the scope.
func (s Scope) touches(ref cluster.Ref, workloads []string) bool {
	return (len(s.Namespaces) == 0 || slices.Contains(s.Namespaces, ref.Namespace)) &&
		(len(s.Workloads) == 0 || slices.ContainsFunc(workloads, func(name string) bool { return slices.Contains(s.Workloads, name) }))
}

// CalicoOptions say where new policies of Calico stand.
type CalicoOptions struct {
	Tier  string  // "" means default
	Order float64 // 0 means 1000, that of Kubernetes policies
}

const calicoVersion = "projectcalico.org/v3"

// defaultOrder is the order at which Kubernetes policies stand among Calico's.
const defaultOrder = 1000

func (c CalicoOptions) order() float64 {
	if c.Order == 0 {
		return defaultOrder
	}
	return c.Order
}

// name gives a policy's name in a tier: those of other tiers than the default
// one begin with the tier's.
func (c CalicoOptions) name(name string) string {
	if c.Tier == "" || c.Tier == "default" {
		return name
	}
	return c.Tier + "." + name
}

// ErrInput marks an error in what was asked for.
var ErrInput = errors.New("recommending")

// validate refuses what can't be made.
func (in Input) validate() error {
	if in.Snapshot == nil || in.Report == nil {
		return fmt.Errorf("%w: no snapshot or no analysis was given", ErrInput)
	}
	if in.Format != "" && !slices.Contains(Formats, in.Format) {
		return fmt.Errorf("%w: there is no format %q; want %s", ErrInput, in.Format, formatNames())
	}
	if in.AllowExtra < 0 {
		return fmt.Errorf("%w: %d extra tuples can't be; give 0 or more", ErrInput, in.AllowExtra)
	}
	if in.DefaultDeny && in.Format == ClusterWide {
		return fmt.Errorf("%w: a default deny goes with policies of workloads, not with guard rails; give another format than %s", ErrInput, ClusterWide)
	}
	if t := in.Calico.Tier; t != "" && t != "default" && !slices.ContainsFunc(in.Snapshot.Policies, func(o cluster.Object) bool {
		_, is := o.Typed.(*calicov3.Tier)
		return is && o.Ref.Name == t
	}) {
		return fmt.Errorf("%w: there is no tier %q in the manifests; make it first", ErrInput, t)
	}
	return nil
}

func formatNames() string {
	var names []string
	for _, f := range Formats {
		names = append(names, string(f))
	}
	return strings.Join(names[:len(names)-1], ", ") + " or " + names[len(names)-1]
}

func (f Format) isCalico() bool { return f == Calico || f == CalicoStaged }
