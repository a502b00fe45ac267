// SPDX-License-Identifier: Apache-2.0

package analyze

import (
	"net/netip"
	"time"

	"github.com/netcinch/netcinch/recommender/cluster"
	"github.com/netcinch/netcinch/recommender/flow"
)

// Report is the outcome of an analysis. Its slices are sorted, so that the
// same input gives the same bytes.
type Report struct {
	Window    Window      `json:"window"`
	Learning  float64     `json:"learningSeconds"`
	Edges     []Edge      `json:"edges"`     // by client, server, protocol, port
	Usage     []Usage     `json:"usage"`     // one entry for each allowance in force
	Totals    []Total     `json:"totals"`    // the same by policy, rule, peer and port
	Findings  []Finding   `json:"findings"`  // most severe first
	Readiness []Readiness `json:"readiness"` // one entry for each workload
	Notes     []string    `json:"notes"`     // what the analysis could not know, for people
	// Conflicts counts edges of which the two ends tell different counts.
	Conflicts int `json:"conflicts"`
}

// Window is a period: from is in it, to is not.
type Window struct {
	From time.Time `json:"from"`
	To   time.Time `json:"to"`
}

// PartyKind tells what a party is.
type PartyKind string

// The kinds of party.
const (
	PartyWorkload PartyKind = "workload"
	PartyNode     PartyKind = "node"
	PartyOutside  PartyKind = "outside"
)

// Party is one end of an edge at workload level. It is comparable.
type Party struct {
	Kind         PartyKind  `json:"kind"`
	Namespace    string     `json:"namespace,omitempty"`
	WorkloadKind string     `json:"workloadKind,omitempty"`
	Name         string     `json:"name,omitempty"` // workload, or node
	IP           netip.Addr `json:"ip,omitzero"`    // outside, and nodes that the snapshot lacks
	DNS          string     `json:"dns,omitempty"`  // outside only: the name that was asked for
}

// Ref names a policy object.
type Ref struct {
	APIVersion string `json:"apiVersion"`
	Kind       string `json:"kind"`
	Namespace  string `json:"namespace,omitempty"`
	Name       string `json:"name"`
}

// Cluster gives the reference in the words of package cluster.
func (r Ref) Cluster() cluster.Ref { return cluster.Ref(r) }

// Counters are counted at one end, from the client's point of view.
type Counters struct {
	Connections     uint64 `json:"connections"`
	BytesSent       uint64 `json:"bytesSent"`
	BytesReceived   uint64 `json:"bytesReceived"`
	PacketsSent     uint64 `json:"packetsSent"`
	PacketsReceived uint64 `json:"packetsReceived"`
}

// Outcomes counts connections by what became of them.
type Outcomes struct {
	Established uint64 `json:"established"`
	Refused     uint64 `json:"refused"`
	Unanswered  uint64 `json:"unanswered"`
	Dropped     uint64 `json:"dropped"`
}

// Edge is a folded edge with everything that is known about it.
type Edge struct {
	ID       string `json:"id"` // stable: made of the parties, protocol and port
	Client   Party  `json:"client"`
	Server   Party  `json:"server"`
	Protocol string `json:"protocol"` // "TCP", or a number
	Port     uint16 `json:"port"`     // on the server's own address; 0 without ports

	Services  []string `json:"services"`  // "namespace/name:port" that were dialled
	Processes []string `json:"processes"` // executable paths at the client
	Addresses []string `json:"addresses"` // outside addresses that the edge stands for

	Counters Counters  `json:"counters"` // both ends merged, nothing doubled
	ByClient Counters  `json:"byClient"`
	ByServer Counters  `json:"byServer"`
	Outcomes Outcomes  `json:"outcomes"`
	Reasons  []string  `json:"reasons"`  // the kernel's drop reasons
	Guessed  bool      `json:"guessed"`  // some records' direction was guessed
	Conflict string    `json:"conflict"` // what the two ends disagree on; empty when they agree
	First    time.Time `json:"firstSeen"`
	Last     time.Time `json:"lastSeen"`

	Verdict Verdict `json:"verdict"`
	Unseen  bool    `json:"unseen"` // new after the learning period, not accepted
	Risky   string  `json:"risky"`  // why the destination is risky; empty when it is not
	// Teaches says whether recommendations keep this edge: it was allowed, and
	// is not held as unseen.
	Teaches bool `json:"teaches"`

	// Needs lists, for each pair of pods that was asked for and each end where
	// rules decided, the atoms that let the edge through.
	Needs []Need `json:"-"`
	// Number is Protocol as a number.
	Number flow.Protocol `json:"-"`
	// Bins is the number of time bins in which the edge was seen.
	Bins int `json:"bins"`
}

// State is a verdict in one word.
type State string

// The states. Mixed: pods of one workload get different verdicts.
const (
	StateAllowed State = "allowed"
	StateDenied  State = "denied"
	StateMixed   State = "mixed"
	StateUnknown State = "unknown" // an end has no pod in the snapshot
)

// Verdict says whether the policies in force allow an edge, and why.
type Verdict struct {
	State   State `json:"state"`
	Egress  Side  `json:"egress"`
	Ingress Side  `json:"ingress"`
	// Mixed names, with StateMixed, pairs of pods that are judged otherwise.
	Mixed     []string `json:"mixed"`
	Uncertain []string `json:"uncertain"`
}

// Side is the verdict at one end.
type Side struct {
	Allowed  bool   `json:"allowed"`
	Isolated bool   `json:"isolated"`
	Why      []Step `json:"why"`
}

// StepKind says what a step is.
type StepKind string

// The kinds of step, as package policy has them.
const (
	StepNotIsolated StepKind = "not-isolated"
	StepRule        StepKind = "rule"
	StepNoMatch     StepKind = "no-match"
	StepDefault     StepKind = "default"
	StepAlways      StepKind = "always"
)

// Step is one link in the chain that decided.
type Step struct {
	Kind      StepKind   `json:"kind"`
	Action    string     `json:"action,omitempty"` // allow, deny, pass, log
	Policy    *Ref       `json:"policy,omitempty"`
	Tier      string     `json:"tier,omitempty"`
	Allowance *Allowance `json:"allowance,omitempty"`
	Text      string     `json:"text"`
	File      string     `json:"file,omitempty"`
	Line      int        `json:"line,omitempty"` // in the file
}

// Allowance names one atom of a policy. Rule, Peer and Port count from 0; Peer
// and Port are -1 where the rule leaves them open.
type Allowance struct {
	Policy    Ref    `json:"policy"`
	Direction string `json:"direction"` // Ingress or Egress
	Rule      int    `json:"rule"`
	Peer      int    `json:"peer"`
	Port      int    `json:"port"`
}

// Usage is what one allowance was used for within the window.
type Usage struct {
	ID        string    `json:"id"`
	Allowance Allowance `json:"allowance"`
	PeerText  string    `json:"peerText"`
	PortText  string    `json:"portText"`
	File      string    `json:"file,omitempty"`
	Line      int       `json:"line"` // in the file, 0 where not known
	State     UseState  `json:"state"`
	Hits      uint64    `json:"hits"`      // connections that it let through
	AloneHits uint64    `json:"aloneHits"` // of them, where no other allowance did
	LastHit   time.Time `json:"lastHit,omitzero"`
	Edges     []string  `json:"edges"`     // identities of the edges
	Subjects  []string  `json:"subjects"`  // workloads that the policy selects, as namespace/name
	UsedBy    []string  `json:"usedBy"`    // of them, those whose traffic used it
	Peers     []string  `json:"peers"`     // workloads, nodes and addresses at the other end that used it
	CoveredBy []string  `json:"coveredBy"` // allowances that always allowed too, as people read them
}

// Total is what a policy, one of its rules, or a peer or port in a rule was
// used for. A connection that several of its allowances let through counts once.
type Total struct {
	Scope     Scope     `json:"scope"` // policy, rule, peer or port
	Policy    Ref       `json:"policy"`
	Direction string    `json:"direction,omitempty"` // Ingress or Egress; empty for a policy
	Rule      int       `json:"rule"`                // from 0; -1 for a policy
	Peer      int       `json:"peer"`                // from 0; -1 where the total is over all
	Port      int       `json:"port"`                // from 0; -1 where the total is over all
	Text      string    `json:"text"`                // "ingress rule 1", "pods app=api", "TCP 5432"
	State     UseState  `json:"state"`
	Hits      uint64    `json:"hits"`
	AloneHits uint64    `json:"aloneHits"` // of them, where nothing beside it allowed
	LastHit   time.Time `json:"lastHit,omitzero"`
	UsedBy    []string  `json:"usedBy"` // workloads that the policy selects, whose traffic used it
	Peers     []string  `json:"peers"`  // who used it at the other end
}

// UseState says how far an allowance was used.
type UseState string

// The states of use.
const (
	UseUsed      UseState = "used"
	UsePartly    UseState = "partly-used"
	UseRedundant UseState = "redundant"
	UseUnused    UseState = "unused"
	UseUnknown   UseState = "unknown" // nothing was recorded: nobody can say
)

// FindingKind says what a finding is about.
type FindingKind string

// The kinds of finding.
const (
	FindingUnused         FindingKind = "unused"
	FindingRedundant      FindingKind = "redundant"
	FindingPartlyUsed     FindingKind = "partly-used"
	FindingSelectsNothing FindingKind = "selects-nothing"
	FindingUnseen         FindingKind = "unseen"
	FindingDenied         FindingKind = "denied"
	FindingRisky          FindingKind = "risky"
	FindingConflict       FindingKind = "conflict"
	FindingShadowed       FindingKind = "shadowed"        // what is asked before it always decides
	FindingAmbiguous      FindingKind = "ambiguous-order" // equal order, and the result hangs on it
	FindingNotUnderstood  FindingKind = "not-understood"  // nothing is said about the policy
)

// Scope says how much of a policy a finding is about.
type Scope string

// The scopes, from the widest to the narrowest.
const (
	ScopePolicy Scope = "policy"
	ScopeRule   Scope = "rule"
	ScopePeer   Scope = "peer"
	ScopePort   Scope = "port"
	ScopeEdge   Scope = "edge"
)

// Severity ranks findings.
type Severity string

// The severities, most severe first.
const (
	SeverityHigh   Severity = "high"
	SeverityMedium Severity = "medium"
	SeverityLow    Severity = "low"
	SeverityInfo   Severity = "info"
)

// Finding is one statement that a person can act on.
type Finding struct {
	ID       string      `json:"id"` // stable over runs: made of what it is about
	Kind     FindingKind `json:"kind"`
	Scope    Scope       `json:"scope"`
	Severity Severity    `json:"severity"`
	Title    string      `json:"title"`
	Evidence []string    `json:"evidence"` // sentences

	Namespace  string      `json:"namespace,omitempty"` // whom it concerns; empty for the whole cluster
	Workloads  []string    `json:"workloads"`           // namespace/name of the subjects
	Policy     *Ref        `json:"policy,omitempty"`
	Allowances []Allowance `json:"allowances"`
	File       string      `json:"file,omitempty"`
	Line       int         `json:"line,omitempty"`    // in the file, from 1
	EndLine    int         `json:"endLine,omitempty"` // last line, where known
	Edge       string      `json:"edge,omitempty"`    // identity of the edge
	First      time.Time   `json:"firstSeen,omitzero"`
	Last       time.Time   `json:"lastSeen,omitzero"`

	// Ready says whether the evidence about every subject is enough to act on;
	// Reservations say why not.
	Ready        bool     `json:"ready"`
	Reservations []string `json:"reservations"`
}

// ReadyState is readiness in one word.
type ReadyState string

// The states of readiness.
const (
	ReadyLearning    ReadyState = "learning"    // the learning period is not over
	ReadyStabilising ReadyState = "stabilising" // over, but new edges still appear, or evidence was lost
	ReadyReady       ReadyState = "ready"
	ReadySilent      ReadyState = "silent" // no traffic seen at all
)

// Readiness says how far the evidence about a workload can be trusted.
type Readiness struct {
	Workload Party      `json:"workload"`
	State    ReadyState `json:"state"`
	Since    time.Time  `json:"since,omitzero"`  // from when it was observed
	Observed float64    `json:"observedSeconds"` // for how long
	// Coverage is the Good–Turing estimate 1 − F1/N of the chance that the next
	// thing seen is already known: F1 edges seen in one time bin only, N
	// sightings. It is lowered by LostShare. 0 without traffic.
	Coverage  float64   `json:"coverage"`
	Edges     int       `json:"edges"`
	Sightings int       `json:"sightings"` // N
	Single    int       `json:"single"`    // F1
	Newest    time.Time `json:"newestEdge,omitzero"`
	Period    float64   `json:"periodSeconds"` // of the CronJob; 0 for other kinds
	Runs      int       `json:"runs"`          // how often the CronJob was seen to run
	Lost      uint64    `json:"lost"`          // on the nodes of its pods
	LostShare float64   `json:"lostShare"`     // of all flows there, 0 to 1
	Reasons   []string  `json:"reasons"`       // why it is not ready, and what was lost
	// Starts are pods of it that were seen to start, Rollouts changes of its
	// template; both 0 where nothing tells, which Lifecycle says.
	Starts    int  `json:"starts"`
	Rollouts  int  `json:"rollouts"`
	Lifecycle bool `json:"lifecycleKnown"`
	// Caveats do not keep it from being ready: no start or rollout was seen, or
	// its newest edge is young.
	Caveats []string `json:"caveats"`
}
