// SPDX-License-Identifier: Apache-2.0

// Package alert says what deserves to wake somebody.
//
// It looks at one analysis after another, keeps in mind what a cluster's
// workloads usually do, and turns what departs from that into alerts: grouped
// by pair of workloads and kind, ranked, damped, and bounded by a daily budget.
// The package does no I/O; a [Keeper] is given what was known before, looks at
// each new analysis, and says what changed. Who calls it keeps that on disk and
// hands it to a [Notifier].
//
// Its words: a baseline is what a workload usually does, learnt until its
// readiness is reached; a signal is one thing that departs from it in one
// analysis; an alert is signals of one pair and kind over time; an alert is
// held when nobody is woken for it, with the reason; grace is the time after a
// rollout in which new edges within the cluster are expected; a silence holds
// back alerts until it ends; an edit is a change of policies, to cut or to
// accept what an alert is about.
package alert
