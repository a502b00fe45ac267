// SPDX-License-Identifier: Apache-2.0

//go:build linux

// Package podmap watches the node for interfaces of pods and says which pod
// each one belongs to.
//
// An interface is attached the moment its veth pair appears, before the pod's
// first process runs; who the pod is becomes known afterwards, when the API
// server (or a directory of manifests) reports a pod with the address that the
// interface has. A slot is one attachment. A slot is bound to a pod once and
// never again: an address that another pod takes over belongs to another slot.
//
// [Watcher] follows the interfaces, a [Source] the pods, and [Registry] brings
// them together.
package podmap
