// SPDX-License-Identifier: Apache-2.0

package alert

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/netcinch/netcinch/recommender/analyze"
	"github.com/netcinch/netcinch/recommender/cluster"
	"github.com/netcinch/netcinch/recommender/flow"
)

// Baseline says how far a workload is learnt. While it is open every edge that
// policies let through is learnt; once it is closed new edges are unseen until
// somebody accepts them. Its edges are those of the catalogue from before it
// was closed, those that were accepted, and those that were imported.
type Baseline struct {
	Workload flow.Workload      `json:"workload"`
	State    analyze.ReadyState `json:"state"`   // learning, stabilising, ready or silent
	Version  int                `json:"version"` // 0 while it is open; grows with each change of its edges
	Since    time.Time          `json:"since,omitzero"`
	Closed   time.Time          `json:"closed,omitzero"` // zero while it is open
	// Early: it was closed without having become ready, since it did not settle.
	Early   bool      `json:"early,omitempty"`
	Lost    time.Time `json:"lost,omitzero"`    // since when its readiness is lost
	Checked time.Time `json:"checked,omitzero"` // when it was last found not ready, while open
	Reasons []string  `json:"reasons,omitempty"`
	Changes []Change  `json:"changes,omitempty"` // the newest last, at most maxChanges
	// Denied are identities of edges that policies denied while it was open, and
	// Removed of those that an import took out: neither is learnt.
	Denied  []string `json:"denied,omitempty"`
	Removed []string `json:"removed,omitempty"`
	Added   []Habit  `json:"added,omitempty"` // by imports
	// Generations are the versions of its pods, the oldest first; Images the
	// repositories that its images came from; Planned the images that its
	// template named, the newest last.
	Generations []Generation `json:"generations,omitempty"`
	Images      []string     `json:"images,omitempty"`
	Planned     []string     `json:"planned,omitempty"`
	// NameBytes is the most that was sent over name resolution in an hour.
	NameBytes uint64 `json:"nameBytes,omitempty"`
}

// Change is one version of a baseline.
type Change struct {
	Version int       `json:"version"`
	At      time.Time `json:"at"`
	By      string    `json:"by,omitempty"` // empty where nobody did it: readiness was reached
	What    string    `json:"what"`
}

// Generation is one version of a workload's pods.
type Generation struct {
	Revision string    `json:"revision,omitempty"` // hash of the template
	Images   []string  `json:"images,omitempty"`
	First    time.Time `json:"firstSeen,omitzero"`
}

const (
	maxChanges     = 32
	maxGenerations = 16
)

// change makes a new version.
func (b *Baseline) change(at time.Time, by, what string) {
	b.Version++
	b.Changes = append(b.Changes, Change{b.Version, at, by, what})
	if len(b.Changes) > maxChanges {
		b.Changes = slices.Delete(b.Changes, 0, len(b.Changes)-maxChanges)
	}
}

// learn moves every baseline on.
func (l *look) learn() {
	for i := range l.Report.Readiness {
		r := &l.Report.Readiness[i]
		w := r.Workload.Workload()
		b, known := l.baselines[w], true
		if b == nil {
			b, known = &Baseline{Workload: w}, false
			l.baselines[w] = b
		}
		l.advance(b, r, known)
		l.generation(b)
	}
}

// advance moves one baseline on. One that nobody has followed, of a workload
// whose learning period is over, was closed at that period's end.
func (l *look) advance(b *Baseline, r *analyze.Readiness, known bool) {
	b.Since, b.Reasons = r.Since, r.Reasons
	if !b.Closed.IsZero() {
		b.keep(l.Now, r)
		return
	}
	b.State = r.State
	if r.Since.IsZero() {
		return
	}
	end := r.Since.Add(l.options.Learning)
	over := !l.Now.Before(end) && !r.Uncovered()
	settled := r.State == analyze.ReadyReady || r.State == analyze.ReadySilent
	late := !l.Now.Before(end.Add(l.options.Settle + time.Duration(2*r.Period*float64(time.Second))))
	switch {
	case over && (!known || settled) || late:
		b.Closed, b.Early = end, !settled && known
		if whole := r.Since.Add(time.Duration(2 * r.Period * float64(time.Second))); !known && whole.After(end) && whole.Before(l.Now) {
			b.Closed = whole // as the analysis had it so far
		}
		if b.Checked.After(b.Closed) {
			b.Closed = b.Checked
		}
		b.close(l)
	default:
		b.Checked = l.Now
	}
}

// keep follows the readiness of a closed baseline.
func (b *Baseline) keep(now time.Time, r *analyze.Readiness) {
	b.State = r.State
	switch {
	case r.State == analyze.ReadyReady:
		b.Lost, b.Early = time.Time{}, false
	case b.Lost.IsZero() && !b.Early && !b.silent():
		b.Lost = now
	}
}

// silent says whether it was closed with nothing in it.
func (b *Baseline) silent() bool {
	return len(b.Changes) > 0 && b.Changes[0].What == closedSilent
}

const (
	closedReady  = "learnt: ready"
	closedSilent = "learnt: no traffic was seen"
	closedEarly  = "closed without being ready: new edges kept coming, or evidence was lost"
)

func (b *Baseline) close(l *look) {
	what := closedReady
	switch {
	case b.State == analyze.ReadySilent:
		what = closedSilent
	case b.State != analyze.ReadyReady:
		what = closedEarly
	}
	b.change(b.Closed, "", what)
	for i := range l.Report.Edges {
		e := &l.Report.Edges[i]
		if owner(e.Client, e.Server) == b.Workload && e.Verdict.State == analyze.StateDenied && e.First.Before(b.Closed) {
			b.Denied = append(b.Denied, e.ID)
		}
	}
}

// owner is the workload that an edge is filed under: its client, or its server
// where the client is no workload.
func owner(client, server analyze.Party) flow.Workload {
	if client.Kind == analyze.PartyWorkload {
		return client.Workload()
	}
	return server.Workload()
}

// generation notes versions of the pods, and the repositories of their images.
func (l *look) generation(b *Baseline) {
	open := b.Closed.IsZero() || len(b.Images) == 0
	if w := l.Index.Workload(b.Workload); w != nil {
		for _, image := range w.Images {
			if !slices.Contains(b.Planned, image) {
				b.Planned = append(b.Planned, image)
			}
		}
		b.Planned = b.Planned[max(0, len(b.Planned)-maxGenerations):]
	}
	for _, pod := range l.Index.Pods(b.Workload) {
		g := Generation{Revision: analyze.Revision(pod), Images: pod.Images, First: pod.Started}
		i := slices.IndexFunc(b.Generations, func(have Generation) bool {
			return have.Revision == g.Revision && slices.Equal(have.Images, g.Images)
		})
		switch {
		case pod.Template: // what is to run, not what runs
		case i < 0:
			if g.First.IsZero() && len(b.Generations) > 0 {
				g.First = l.Now
			}
			b.Generations = append(b.Generations, g)
		case !g.First.IsZero() && g.First.Before(b.Generations[i].First):
			b.Generations[i].First = g.First
		}
		if open {
			for _, image := range pod.Images {
				if name := repository(image); !slices.Contains(b.Images, name) {
					b.Images = append(b.Images, name)
				}
			}
		}
	}
	slices.SortStableFunc(b.Generations, func(a, c Generation) int { return a.First.Compare(c.First) })
	if len(b.Generations) > maxGenerations {
		b.Generations = slices.Delete(b.Generations, 0, len(b.Generations)-maxGenerations)
	}
}

// rollout gives the newest change of the pods that came before a moment, and
// not more than the grace before.
func (b *Baseline) rollout(at time.Time, grace time.Duration) (g Generation, ok bool) {
	for i, one := range b.Generations {
		// A window may begin a little before the pod that it tells of.
		if i > 0 && !at.Before(one.First.Add(-windowSlack)) && at.Before(one.First.Add(grace)) {
			g, ok = one, true
		}
	}
	return g, ok
}

const windowSlack = time.Minute

// repository gives an image's name without tag and digest.
func repository(image string) string {
	image, _, _ = strings.Cut(image, "@")
	if i := strings.LastIndexByte(image, ':'); i > strings.LastIndexByte(image, '/') {
		image = image[:i]
	}
	return image
}

// Learning says in words how far a baseline is.
func (b *Baseline) Learning() string {
	switch {
	case b.Closed.IsZero():
		return string(b.State)
	case !b.Lost.IsZero():
		return fmt.Sprintf("%s since %s", b.State, analyze.Moment(b.Lost))
	default:
		return fmt.Sprintf("%s, version %d", b.State, b.Version)
	}
}

// runs says whether a pod runs now, rather than standing in for a template.
func runs(p *cluster.Pod) bool { return !p.Template && !p.Finished }
