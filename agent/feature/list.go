// SPDX-License-Identifier: Apache-2.0

package feature

// What the agent uses.
var (
	BTF = Feature{
		Name: "BTF", Kernel: "4.18", Needs: "CONFIG_DEBUG_INFO_BTF", Required: true,
		Lost: "programs cannot be fitted to the kernel",
	}
	RingBuffer = Feature{
		Name: "ring buffers", Kernel: "5.8", Required: true,
		Lost: "DNS answers and packets of flows that found no room cannot be handed over",
	}
	Atomics = Feature{
		Name: "atomic operations", Kernel: "5.12", Required: true,
		Lost: "flows cannot be marked from several CPUs at once",
	}
	SystemPrograms = Feature{
		Name: "programs for system calls", Kernel: "5.14", Required: true,
		Lost: "what was counted cannot be taken out of the map while packets pass",
	}
	TCX = Feature{
		Name: "TCX", Kernel: "6.6",
		Lost: "nothing while no other filter of the interface comes first and drops: clsact filters take its place",
	}
	Pins = Feature{
		Name: "pinned maps and links", Kernel: "5.7", Needs: "a BPF file system",
		Lost: "what passes while no agent runs: it restarts without what was not read yet",
	}
	OtherNamespaces = Feature{
		Name: "other network namespaces", Kernel: "3.0", Needs: "CAP_SYS_ADMIN",
		Lost: "what a CNI redirects past the host's side of a pod's interface",
	}
	Conntrack = Feature{
		Name: "conntrack look-ups", Kernel: "5.18", Needs: "CONFIG_NF_CONNTRACK, CONFIG_DEBUG_INFO_BTF_MODULES",
		Lost: "the backend behind a virtual address, source rewriting, and who began flows that were open before the agent",
	}
	CurrentProcess = Feature{
		Name: "current process at a packet", Kernel: "6.10",
		Lost: "which program of a pod opened a connection",
	}
	PerCPU = Feature{
		Name: "counting by CPU", Kernel: "6.11", Needs: "no CONFIG_PREEMPT_RT, all CPUs allowed",
		Lost: "nothing; a packet costs some 20 ns more",
	}
	Processes = Feature{
		Name: "processes", Kernel: "5.8", Needs: "CAP_BPF",
		Lost: "the program at each end of a flow",
	}
	ProcessStarts = Feature{
		Name: "process starts", Kernel: "5.5", Needs: "CAP_PERFMON",
		Lost: "the program of a process that ends before it is looked at",
	}
	ProcessForks = Feature{
		Name: "process forks", Kernel: "5.5", Needs: "CAP_PERFMON",
		Lost: "the program of a forked process that ends before it is looked at",
	}
	Listeners = Feature{
		Name: "listening sockets", Kernel: "5.5", Needs: "CAP_PERFMON",
		Lost: "the program that listens, until it is listed, and a listener that lives shorter than that",
	}
	ProcessList = Feature{
		Name: "list of processes", Kernel: "5.8", Needs: "CAP_PERFMON",
		Lost: "the programs of processes that ran before the agent",
	}
	SocketList = Feature{
		Name: "list of sockets", Kernel: "5.11", Needs: "CAP_PERFMON",
		Lost: "who listened, and who began connections, before the agent",
	}
	DropReasons = Feature{
		Name: "drop reasons", Kernel: "5.17", Needs: "CAP_PERFMON",
		Lost: "why the kernel dropped a packet: such flows are unanswered",
	}
	Dialled = Feature{
		Name: "dialled addresses", Kernel: "4.18", Needs: "--pods-cgroup in the unified hierarchy",
		Lost: "the virtual address that a pod dialled, where a load balancer at the socket layer chooses the backend",
	}
	AddressEvents = Feature{
		Name: "address-events", Kernel: "4.2", Needs: "CAP_NET_BROADCAST",
		Lost: "nothing but time: pods are recognised up to a second later",
	}
	HostNetwork = Feature{
		Name: "host-network", Kernel: "–",
		Lost: "the traffic of pods that share the node's network, and of the node itself, but where it meets a pod",
	}
)

// All are the features, in the order in which they are told.
var All = []Feature{
	BTF, RingBuffer, Atomics, SystemPrograms, TCX, Pins, OtherNamespaces, Conntrack, CurrentProcess, PerCPU,
	Processes, ProcessStarts, ProcessForks, Listeners, ProcessList, SocketList, DropReasons, Dialled, AddressEvents, HostNetwork,
}
