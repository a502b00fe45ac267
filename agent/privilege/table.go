// SPDX-License-Identifier: Apache-2.0

//go:build linux

package privilege

import "golang.org/x/sys/unix"

// Capability is one that the agent uses.
type Capability struct {
	Number   int
	Name     string
	For      string // what it is used for
	Lost     string // without it
	Required bool   // the agent does not start without it
	// Roam: used to enter and to find the network namespaces of pods, and not
	// needed where interfaces are watched from the host's side.
	Roam bool
}

// All are the capabilities that the agent uses, in the order in which they are
// told. CAP_SYS_ADMIN stands for CAP_BPF and CAP_PERFMON, too.
var All = []Capability{
	{
		Number: unix.CAP_BPF, Name: "CAP_BPF", For: "loading programs and their maps",
		Lost: "everything: nothing can be loaded", Required: true,
	},
	{
		Number: unix.CAP_NET_ADMIN, Name: "CAP_NET_ADMIN", For: "attaching programs to interfaces",
		Lost: "everything: nothing can be attached", Required: true,
	},
	{
		Number: unix.CAP_PERFMON, Name: "CAP_PERFMON", For: "programs that read packets and the kernel's structures",
		Lost: "everything: the kernel takes none of the programs", Required: true,
	},
	{
		Number: unix.CAP_SYS_ADMIN, Name: "CAP_SYS_ADMIN", For: "entering the network namespaces of pods", Roam: true,
		Lost: "pods are watched from the host's side of their interfaces, and what a CNI redirects past it is not seen",
	},
	{
		Number: unix.CAP_SYS_PTRACE, Name: "CAP_SYS_PTRACE", For: "finding the network namespaces of other users' processes", Roam: true,
		Lost: "pods whose network namespace has no name in --netns-dir are not watched",
	},
	{
		Number: unix.CAP_NET_BROADCAST, Name: "CAP_NET_BROADCAST", For: "hearing of addresses in the pods' network namespaces",
		Lost: "nothing but time: addresses are asked for, so pods are recognised up to a second later",
	},
}
