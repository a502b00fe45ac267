// SPDX-License-Identifier: Apache-2.0

package recommend

import (
	"time"

	"github.com/netcinch/netcinch/recommender/analyze"
	"github.com/netcinch/netcinch/recommender/cluster"
	"github.com/netcinch/netcinch/recommender/policy"
)

// Input is what recommendations are made of.
type Input struct {
	Snapshot *cluster.Snapshot
	Report   *analyze.Report // of the same snapshot
	// Policy says how the policies are read; as for the report.
	Policy policy.Options
	Format Format
	Calico CalicoOptions
	Scope  Scope
	// AllowExtra is how many pairs of peer and port each new policy may allow
	// beyond what was seen, to be written with fewer rules, peers and ports; each
	// is listed in the proof. Tightenings leave rules that are as wide.
	AllowExtra int
	// DefaultDeny asks for companions: policies that deny by default what the
	// others, in force and offered, leave open, and that nobody was seen to need.
	DefaultDeny bool
	// Progress, where given, is told how far the work is: a stage in words, and
	// how much of it is done; it is called by several goroutines.
	Progress func(stage string, done, of int)
	// Engine is that of the snapshot's policies, where it is compiled already.
	Engine *policy.Engine
}

// Kind says what a recommendation does.
type Kind string

// The kinds of recommendation.
const (
	KindNew     Kind = "new"     // a policy for a workload that has none
	KindTighten Kind = "tighten" // a narrower version of a policy in force
	KindNone    Kind = "none"    // nothing can be said: always withheld, says why
)

// Recommendation is one manifest to apply, or the reason why there is none.
type Recommendation struct {
	ID        string          `json:"id"` // stable over runs
	Kind      Kind            `json:"kind"`
	Title     string          `json:"title"`
	Namespace string          `json:"namespace,omitempty"` // empty for cluster-wide policies
	Workloads []string        `json:"workloads"`           // namespace/name of whom it selects
	Policy    analyze.Ref     `json:"policy"`
	File      string          `json:"file,omitempty"` // of the existing manifest
	Line      int             `json:"line,omitempty"` // first line of its document in the file
	Before    string          `json:"before"`         // YAML as its author wrote it; empty with KindNew
	After     string          `json:"after"`          // YAML to apply; empty when withheld
	Diff      string          `json:"diff"`           // unified, Before to After; git apply takes it where File is relative
	Changes   []Change        `json:"changes"`
	Evidence  []string        `json:"evidence"` // sentences
	Proof     Proof           `json:"proof"`
	Ready     bool            `json:"ready"`           // every workload it touches is ready
	Readiness []WorkloadState `json:"readiness"`       // of the workloads that it selects
	Trial     bool            `json:"trial,omitempty"` // After enforces nothing: a staged policy, to be watched
	// Companion marks a default deny; it holds only together with the policies
	// that it relies on.
	Companion bool          `json:"companion,omitempty"`
	Relies    []analyze.Ref `json:"relies,omitempty"`
	Withheld  string        `json:"withheld,omitempty"` // why it is not offered; empty when it is

	extra   Proof      // what is said of pairs that were not seen
	beyond  []directed // the same, pair by pair
	nodes   []string   // with host endpoints that it is for
	rail    bool       // denies and passes on, and allows nothing
	further []string   // documents that come with After, until it is finished
}

// InPlace says whether After takes the place of Before: it is the same object,
// not a trial of it beside it.
func (r Recommendation) InPlace() bool { return r.Before != "" && !r.Trial }

// WorkloadState is the readiness of one workload in short.
type WorkloadState struct {
	Workload string             `json:"workload"`
	State    analyze.ReadyState `json:"state"`
	Coverage float64            `json:"coverage"`
	Observed float64            `json:"observedSeconds"`
	Since    time.Time          `json:"since,omitzero"`
	Reasons  []string           `json:"reasons"`
	// Caveats do not keep it from being ready: no start or rollout was seen, or
	// its newest edge is young.
	Caveats []string `json:"caveats"`
}

// ChangeKind says what an edit does to a manifest.
type ChangeKind string

// The kinds of change.
const (
	ChangeRemove ChangeKind = "remove" // a port, a peer or a rule goes
	ChangeNarrow ChangeKind = "narrow" // a peer or a port becomes smaller
	ChangeSplit  ChangeKind = "split"  // a rule becomes several
	ChangeAdd    ChangeKind = "add"    // a rule of a new policy
)

// Change is one step of an edit, for people.
type Change struct {
	Kind      ChangeKind `json:"kind"`
	Text      string     `json:"text"`
	Direction string     `json:"direction"`
	Rule      int        `json:"rule"`           // in Before; in After with ChangeAdd
	Line      int        `json:"line,omitempty"` // in File, in Before where there is none; 0 where not known
}

// Proof says what was computed about a recommendation, exactly.
type Proof struct {
	Holds bool `json:"holds"`
	// Statements are the claims one by one, in words.
	Statements []Statement `json:"statements"`
	// ObservedEdges are the edges seen at the selected pods that teach, in the
	// directions that the policy governs; Connections how many they had.
	ObservedEdges int    `json:"observedEdges"`
	Connections   uint64 `json:"connections"`
	Lost          []Cell `json:"lost"`        // observed and allowed before, not after: must be empty
	Opened        []Cell `json:"opened"`      // allowed after, not before: must be empty
	Closed        []Cell `json:"closed"`      // allowed before, not after: what the tightening cuts
	ClosedTotal   int    `json:"closedTotal"` // cells in all, where Closed was cut short
	// Held are the edges held as unseen that are allowed now and would be cut.
	// They are no failure, and are named wherever the recommendation is shown.
	Held []HeldEdge `json:"held"`
	// Extra is what it allows beyond what was seen, as --allow-extra lets it.
	// Peers are workloads, or of addresses prefixes; ExtraTotal counts the pairs
	// of one peer and one port.
	Extra      []Cell `json:"extra,omitempty"`
	ExtraTotal int    `json:"extraTotal,omitempty"`
	// Isolates is what a default deny closes that nothing else isolates.
	Isolates []Isolation `json:"isolates,omitempty"`
	// Superfluous are the atoms that could go without losing an observed edge.
	Superfluous []string `json:"superfluous"`
}

// HeldEdge is an edge that is held as unseen, which nobody accepted so far.
type HeldEdge struct {
	Edge        string        `json:"edge"` // identity in the analysis
	Client      analyze.Party `json:"client"`
	Server      analyze.Party `json:"server"`
	Protocol    string        `json:"protocol"`
	Port        uint16        `json:"port"`
	Connections uint64        `json:"connections"`
	First       time.Time     `json:"firstSeen"`
	Last        time.Time     `json:"lastSeen"`
}

// Statement is one claim of a proof.
type Statement struct {
	Name  StatementName `json:"name"`
	Holds bool          `json:"holds"`
	Text  string        `json:"text"`
}

// StatementName names a claim.
type StatementName string

// The claims.
const (
	KeepsObserved   StatementName = "keeps-observed"   // observed, learnt and allowed ⊆ allowed(new)
	NamesHeld       StatementName = "names-held"       // what it cuts of edges held as unseen is named
	OpensNothing    StatementName = "opens-nothing"    // allowed(new) ⊆ allowed(old)
	NoSuperfluous   StatementName = "no-superfluous"   // each atom is needed
	KeepsDNS        StatementName = "keeps-dns"        // name resolution stays possible
	NamesExtra      StatementName = "names-extra"      // what it allows beyond what was seen is listed
	NamesIsolated   StatementName = "names-isolated"   // what a default deny closes is named
	EnforcesNothing StatementName = "enforces-nothing" // a trial changes no verdict
	KeepsFailsafe   StatementName = "keeps-failsafe"   // nobody is locked out of a node
	ValidManifest   StatementName = "valid-manifest"   // the API server would take it
)

// Cell is a set of connections as people read it.
type Cell struct {
	From     string `json:"from"`
	To       string `json:"to"`
	Protocol string `json:"protocol"`
	Ports    string `json:"ports"` // "5432", "8000-8100", "any"
}

// ReplayReport says what policies would have done to past traffic.
type ReplayReport struct {
	Window      analyze.Window `json:"window"`
	Edges       int            `json:"edges"`       // edges replayed
	Connections uint64         `json:"connections"` // connections replayed
	// Denied would have been cut and were not; Allowed were cut and would pass.
	Denied             []Replayed `json:"denied"`
	Allowed            []Replayed `json:"allowed"`
	DeniedConnections  uint64     `json:"deniedConnections"`
	AllowedConnections uint64     `json:"allowedConnections"`
	// Readiness is that of the workloads at the ends of what was replayed: what
	// one that is not ready needs may be missing from the history.
	Readiness []WorkloadState `json:"readiness"`
	Hit       []Hit           `json:"hit"`   // whom the denied would have failed, most connections first
	Notes     []string        `json:"notes"` // what the replay could not judge
}

// Hit is somebody whose connections would have failed.
type Hit struct {
	Who         string `json:"who"`   // the client: a workload, a node, an outside address
	Edges       int    `json:"edges"` // that would have been cut
	Connections uint64 `json:"connections"`
}

// Replayed is one edge with its verdict before and after.
type Replayed struct {
	Edge        string          `json:"edge"` // identity in the analysis
	Client      analyze.Party   `json:"client"`
	Server      analyze.Party   `json:"server"`
	Protocol    string          `json:"protocol"`
	Port        uint16          `json:"port"`
	Connections uint64          `json:"connections"`
	First       time.Time       `json:"firstSeen"`
	Last        time.Time       `json:"lastSeen"`
	Processes   []string        `json:"processes"`
	Before      analyze.Verdict `json:"before"`
	After       analyze.Verdict `json:"after"`
}
