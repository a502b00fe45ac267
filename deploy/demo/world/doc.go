// SPDX-License-Identifier: Apache-2.0

// Package world builds what package plan laid out: a node's network namespace
// with routes and a packet filter, an internet beyond it, a namespace with a
// veth pair for each pod, real processes in them, and a folder of Pod objects
// as a kubelet would report them. It plays the kubelet, the network plugin,
// kube-proxy and the CronJob controller of one node.
//
// Everything lives in namespaces whose names begin with plan.NetnsPrefix and in
// one state folder; the machine's own network is never touched. Close takes
// all of it down; after a kill -9 the processes end by themselves and Claim of
// the next start removes the rest.
package world
