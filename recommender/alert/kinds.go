// SPDX-License-Identifier: Apache-2.0

package alert

import "github.com/netcinch/netcinch/recommender/analyze"

// Kind says what an alert is about.
type Kind string

// The kinds of alert.
const (
	UnseenInside  Kind = "unseen-inside"
	UnseenOutside Kind = "unseen-outside"
	UnseenName    Kind = "unseen-name"
	PolicyGap     Kind = "policy-gap"
	DeniedBurst   Kind = "denied-burst"
	DeniedSlow    Kind = "denied-slow"
	Risky         Kind = "risky-destination"
	APIServer     Kind = "api-server"
	PortScan      Kind = "port-scan"
	FanOut        Kind = "fan-out"
	NewProcess    Kind = "new-process"
	Shell         Kind = "shell"
	DNSVolume     Kind = "dns-volume"
	UnknownImage  Kind = "unknown-image"
	CaptureGap    Kind = "capture-gap"
	ReadinessLost Kind = "readiness-lost"
)

// KindInfo describes a kind.
type KindInfo struct {
	Kind     Kind             `json:"kind"`
	Name     string           `json:"name"`     // for headings and alertname: "UnseenConnection"
	Severity analyze.Severity `json:"severity"` // unless the evidence says otherwise
	Meaning  string           `json:"meaning"`  // a sentence
	Does     string           `json:"does"`     // what to do about it, a sentence
	// Edges says whether it is about edges, so that it can be accepted and cut.
	Edges bool `json:"edges"`
}

// Kinds are all kinds, in the order in which they are shown.
func Kinds() []KindInfo {
	const high, medium, low = analyze.SeverityHigh, analyze.SeverityMedium, analyze.SeverityLow
	return []KindInfo{
		{UnseenInside, "UnseenConnection", medium, "Two workloads that were both learnt began to talk.", "Accept it if it is wanted, else reject it and apply the narrowing.", true},
		{UnseenOutside, "UnseenOutsideConnection", high, "A workload that was learnt talks with an outside address that it never talked with.", "Find out whose the address is; reject it if nobody knows.", true},
		{UnseenName, "UnseenName", high, "A workload that was learnt talks with a DNS name that it never asked for.", "Find out whose the name is; reject it if nobody knows.", true},
		{PolicyGap, "PolicyGap", medium, "A connection passed by a rule of a policy that nobody had used before.", "Narrow the rule, or accept the connection.", true},
		{DeniedBurst, "DeniedBurst", medium, "Policies denied many attempts within minutes.", "Find out what the client wants there: it is broken, or it is not itself.", true},
		{DeniedSlow, "DeniedSlow", low, "Policies deny attempts that come again and again over hours.", "Repair the client, allow it, or silence it.", true},
		{Risky, "RiskyDestination", high, "A pod reached what only the cluster itself has business with: a kubelet, etcd, SSH, the control plane, the cloud's metadata.", "Accept it for the few workloads that need it, such as monitoring; else cut it at once.", true},
		{APIServer, "FirstUseOfAPIServer", high, "A workload that was learnt used the Kubernetes API for the first time.", "Look at what its service account may do; a stolen token is used like this.", true},
		{PortScan, "PortScan", high, "One client tried many ports of one server within an hour.", "Isolate the client and look at what runs in it.", true},
		{FanOut, "FanOut", high, "One client tried many servers within an hour that it never talked with.", "Isolate the client and look at what runs in it.", true},
		{NewProcess, "NewProcess", medium, "A program opens or serves a known connection that never did before.", "Check that the program belongs there; a rollout explains it, an intruder does, too.", true},
		{Shell, "ShellConnection", high, "A shell, package manager or download tool opens connections in a workload that never had one.", "Look at the pod now: this is what somebody does who is inside.", true},
		{DNSVolume, "NameResolutionVolume", high, "Far more is sent over name resolution than ever before: data can leave by names.", "Look at which names are asked for, in the DNS server's log.", true},
		{UnknownImage, "UnknownImage", high, "Pods of a known workload run an image of which no generation was ever seen.", "Check who changed the image, and roll back if nobody did.", false},
		{CaptureGap, "CaptureGap", medium, "A node, or pods on it, are not watched any more: what happens there is not seen.", "Look at the agent on the node.", false},
		{ReadinessLost, "ReadinessLost", low, "A workload that was ready is not any more: evidence about it was lost or became thin.", "See why on its page; advice about it waits.", false},
	}
}

// Info gives the description of a kind; false for one that there is not.
func Info(k Kind) (KindInfo, bool) {
	for _, info := range Kinds() {
		if info.Kind == k {
			return info, true
		}
	}
	return KindInfo{}, false
}
