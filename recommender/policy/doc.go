// SPDX-License-Identifier: Apache-2.0

// Package policy decides what network policies allow, exactly, and says why.
//
// Front ends turn Kubernetes, Calico and cluster-wide policies into one rule
// model; one evaluator answers a connection with a Verdict, and the same model
// as sets answers "what changes between two policy sets". The package is pure:
// a snapshot in, values out.
//
// Its words: an allowance is one atom that a policy permits (policy,
// direction, rule, peer, port); a verdict is allowed or denied with, per
// direction, the atoms or the isolation that decided.
//
// # Where things are
//
// What is asked and answered: verdict.go (the words), engine.go (Compile),
// check.go and walk.go (Check), evaluate.go with lookup, table, tabulate and
// quick (Allowed, fast), explain.go and remedy.go (every step, and what would
// have to change), allowances.go and reach.go (lists of atoms).
//
// The pods and nodes: topology*.go numbers their addresses; resolve.go finds the
// ends of a question among them.
//
// The model: rule.go; order.go (tiers, stages); compiler.go. Its front ends:
// kubernetes*.go, clusterwide*.go, and calico*.go (policy, rule, entity, service,
// world for sets and labels, host, failsafe and forward for host endpoints);
// staged.go looks ahead.
//
// Sets: classes.go, symbolic.go, cell*.go, compare.go, reachability.go, and for
// many small questions kinship.go, narrow.go, swap.go; order and shadows between
// rules: ordering.go, shadow.go, ties.go.
//
// Changes: facts.go (what policies were compiled from), next.go and with.go (an
// engine after a change), rebuild.go (putting it together).
//
// Packages below: bits (sets of ends), l4 (sets of protocol and port), selector
// (both selector languages), policytest (random clusters), oracle (judges that
// others wrote; a module of its own).
package policy
