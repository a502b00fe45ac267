// SPDX-License-Identifier: Apache-2.0

package alert

import (
	"time"

	"github.com/netcinch/netcinch/recommender/analyze"
)

// Status says where an alert stands.
type Status string

// The statuses. What people decided goes before what was seen.
const (
	Firing   Status = "firing"   // it was seen, and nobody decided yet
	Resolved Status = "resolved" // not seen for a while
	Accepted Status = "accepted" // somebody accepted it; its edges are known from then on
	Rejected Status = "rejected" // somebody rejected it; its edges teach nothing
	Silenced Status = "silenced" // a silence holds it back, until the silence ends
)

// Alert is one thing that somebody should look at: signals of one kind, of one
// pair of ends, over time. Its JSON is the API's.
type Alert struct {
	// ID is the same for the same cluster, kind and pair, for ever: 16 hex
	// digits. Revision grows with every change that is worth telling; (ID,
	// Revision) names what is told, so that a repetition is known.
	ID       string `json:"id"`
	Revision int    `json:"revision"`

	Kind     Kind             `json:"kind"`
	Severity analyze.Severity `json:"severity"` // high, medium, low or info
	Status   Status           `json:"status"`
	Title    string           `json:"title"`    // one line, without a full stop
	Text     string           `json:"text"`     // why it matters and what to do, in sentences
	Evidence []string         `json:"evidence"` // sentences

	Cluster   string         `json:"cluster"`
	Namespace string         `json:"namespace,omitempty"` // of the first workload; empty for the whole cluster
	Workloads []string       `json:"workloads"`           // namespace/name of whom it concerns, the client first
	Client    *analyze.Party `json:"client,omitempty"`    // the pair that it is grouped by; nil where it is about no edge
	Server    *analyze.Party `json:"server,omitempty"`    // nil also where there are many
	Node      string         `json:"node,omitempty"`      // of a capture gap

	Edge      string   `json:"edge,omitempty"` // identity of the first edge, for links
	Edges     []Edge   `json:"edges"`          // at most MaxEdges, most connections first
	EdgeCount int      `json:"edgeCount"`      // all of them
	Processes []string `json:"processes"`      // executable paths that it is about

	Started  time.Time `json:"firstSeen"`        // of what it is about; of the present run, where it came again
	LastSeen time.Time `json:"lastSeen"`         //
	Raised   time.Time `json:"raised"`           // when this recommender said so first, in the present run
	Ended    time.Time `json:"ended,omitzero"`   // when it was resolved or decided; zero while it is open
	Returns  int       `json:"returns"`          // how often it came again after it was resolved
	Changed  time.Time `json:"changed,omitzero"` // of the revision

	// Allowances are what let it through, by policy, rule and line; empty where
	// it was denied, or where no policy isolates either end, which Open says.
	Allowances []Allowance `json:"allowances"`
	Open       bool        `json:"open"` // no policy isolates either end
	Denied     bool        `json:"denied"`

	Narrowing *Edit `json:"narrowing,omitempty"` // what cuts it; nil where no policy can
	Accept    *Edit `json:"accept,omitempty"`    // what goes with accepting it; nil where nothing does

	// Held says why nobody is woken for it, empty where somebody is: the budget,
	// grace after a rollout, a known class, another alert that is told.
	Held string `json:"held,omitempty"`
	With string `json:"with,omitempty"` // identity of the alert that is told in its place
	Rank int    `json:"rank"`           // higher goes first when the budget is short

	Decision *Decided          `json:"decision,omitempty"`
	Link     string            `json:"link"`   // path into the page: /alerts/0123456789abcdef?cluster=prod
	Labels   map[string]string `json:"labels"` // alertname, cluster, kind, severity, namespace, workload, …
}

// MaxEdges bounds how many edges an alert lists, so that it can be kept.
const MaxEdges = 20

// Edge is one edge that an alert is about.
type Edge struct {
	ID          string           `json:"id"`
	Client      analyze.Party    `json:"client"`
	Server      analyze.Party    `json:"server"`
	Protocol    string           `json:"protocol"`
	Port        uint16           `json:"port"`
	Connections uint64           `json:"connections"`
	Outcomes    analyze.Outcomes `json:"outcomes"`
	Processes   []string         `json:"processes"`
	State       analyze.State    `json:"state"`
	First       time.Time        `json:"firstSeen"`
	Last        time.Time        `json:"lastSeen"`
}

// Allowance is one atom of a policy that let an edge through.
type Allowance struct {
	analyze.Allowance
	Text string `json:"text"`           // as people read it
	File string `json:"file,omitempty"` // of the manifest
	Line int    `json:"line,omitempty"` // in the file, from 1
}

// Edit is a change of policies. It is shown, never made.
type Edit struct {
	Text   string       `json:"text"`             // in words
	Policy *analyze.Ref `json:"policy,omitempty"` // nil where nothing has to change
	File   string       `json:"file,omitempty"`
	Line   int          `json:"line,omitempty"`  // where the policy begins in the file
	After  string       `json:"after,omitempty"` // YAML to apply; empty where nothing has to change
	Diff   string       `json:"diff,omitempty"`  // unified
	// Exact says that it was proved: it changes the verdict of what the alert is
	// about, and of nothing else that was seen and learnt.
	Exact          bool   `json:"exact"`
	Recommendation string `json:"recommendation,omitempty"` // identity, where it is one
}

// Decided is what somebody decided about an alert, or the silence that holds
// it back.
type Decided struct {
	ID     string    `json:"id"` // in the audit trail
	By     string    `json:"by"`
	At     time.Time `json:"at"`
	Until  time.Time `json:"until,omitzero"` // end, out of it; zero for ever
	Reason string    `json:"reason"`
}

// Tells says whether somebody is to be told about the alert as it stands: it
// fires and nothing holds it, or it ended after it was told.
func (a *Alert) Tells() bool { return a.Held == "" && a.Status != Silenced }
