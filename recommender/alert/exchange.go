// SPDX-License-Identifier: Apache-2.0

package alert

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/netcinch/netcinch/recommender/flow"
	"github.com/netcinch/netcinch/recommender/store"
)

// Terms are what the analysis has to know of the baselines and of what people
// decided; they go into analyze.Options.
type Terms struct {
	Accepted, Excluded []string
	Closed             map[flow.Workload]time.Time
}

// Terms gives what the next analysis goes by.
func (k *Keeper) Terms(trail []store.Decision, now time.Time) Terms {
	k.mu.Lock()
	defer k.mu.Unlock()
	t := Terms{Closed: map[flow.Workload]time.Time{}}
	rejected := map[string]bool{}
	for s, d := range store.InForce(trail, now) {
		switch {
		case s.Cluster != k.cluster:
		case d.Verdict == store.Accepted:
			t.Accepted = append(t.Accepted, s.Finding)
		case d.Verdict == store.Rejected:
			t.Excluded = append(t.Excluded, s.Finding)
			rejected[s.Finding] = true
		}
	}
	for w, b := range k.baselines {
		t.Closed[w] = b.Closed
		t.Excluded = append(append(t.Excluded, b.Denied...), b.Removed...)
		for _, h := range b.Added {
			if id := h.ID(); !rejected[id] {
				t.Accepted = append(t.Accepted, id)
			}
		}
	}
	slices.Sort(t.Accepted)
	slices.Sort(t.Excluded)
	return t
}

// Baselines gives those of all workloads, by namespace and name.
func (k *Keeper) Baselines() []Baseline {
	k.mu.Lock()
	defer k.mu.Unlock()
	out := make([]Baseline, 0, len(k.baselines))
	for _, b := range k.baselines {
		out = append(out, *b)
	}
	slices.SortFunc(out, func(a, b Baseline) int { return compareWorkloads(a.Workload, b.Workload) })
	return out
}

func compareWorkloads(a, b flow.Workload) int {
	return cmp.Or(strings.Compare(a.Namespace, b.Namespace), strings.Compare(a.Name, b.Name), strings.Compare(a.Kind, b.Kind))
}

func (k *Keeper) known(catalogue []store.Catalogued, trail []store.Decision, now time.Time) *known {
	decided := map[string]store.Decision{}
	for s, d := range store.InForce(trail, now) {
		if s.Cluster == k.cluster {
			decided[s.Finding] = d
		}
	}
	return newKnown(k.baselines, catalogue, decided)
}

// Export gives the closed baselines as a file. open names the workloads that
// are learnt still and are not in it.
func (k *Keeper) Export(catalogue []store.Catalogued, trail []store.Decision, now time.Time) (f *BaselineFile, open []string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	all := k.known(catalogue, trail, now).byOwner()
	f = &BaselineFile{Cluster: k.cluster}
	for w, b := range k.baselines {
		if b.Closed.IsZero() {
			open = append(open, workloadText(w))
			continue
		}
		e := BaselineEntry{Workload: w, Version: b.Version, Images: slices.Sorted(slices.Values(b.Images)), Habits: all[w]}
		for _, h := range b.Added {
			if !slices.Contains(e.Habits, h) {
				e.Habits = append(e.Habits, h)
			}
		}
		slices.SortFunc(e.Habits, Habit.compare)
		f.Workloads = append(f.Workloads, e)
	}
	slices.SortFunc(f.Workloads, func(a, b BaselineEntry) int { return compareWorkloads(a.Workload, b.Workload) })
	slices.Sort(open)
	return f, open
}

// Keep leaves of a file the workloads of one namespace; the empty name is all.
func (f *BaselineFile) Keep(namespace string) {
	if namespace != "" {
		f.Workloads = slices.DeleteFunc(f.Workloads, func(e BaselineEntry) bool { return e.Workload.Namespace != namespace })
	}
}

// byOwner gives the habits that baselines hold, by the workload that they are
// filed under.
func (k *known) byOwner() map[flow.Workload][]Habit {
	out := map[flow.Workload][]Habit{}
	for h := range k.first {
		if k.holds(h) {
			w := owner(h.Client, h.Server)
			out[w] = append(out[w], h)
		}
	}
	return out
}

// Imported says what an import changed.
type Imported struct {
	Workloads int `json:"workloads"` // of the file
	Changed   int `json:"changed"`   // of them, those whose baseline is another now
	Added     int `json:"added"`     // edges that are known now
	Removed   int `json:"removed"`   // edges that are unseen now
}

// mostAdded bounds how many edges a workload's baseline may have that were
// never seen here, so that it fits into the register.
const mostAdded = 200

// Import puts a file in force: the baselines of its workloads become exactly
// what it says, those of others stay. Entries are for the audit trail; they are
// written by the caller, who then saves the keeper. Nothing changes where an
// error comes back.
func (k *Keeper) Import(f *BaselineFile, name string, catalogue []store.Catalogued, trail []store.Decision, o Order) (Imported, []store.Decision, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	var sum Imported
	var entries []store.Decision
	if strings.TrimSpace(o.Reason) == "" {
		return sum, nil, fmt.Errorf("an import needs a reason")
	}
	if f.Cluster != k.cluster {
		return sum, nil, &FileError{File: name, Line: 1, Field: "cluster", Message: fmt.Sprintf("is %q; this is %q: change it in the file if that is meant", f.Cluster, k.cluster)}
	}
	have := k.known(catalogue, trail, o.At)
	owned := have.byOwner()
	next := map[flow.Workload]*Baseline{}
	for i := range f.Workloads {
		e := &f.Workloads[i]
		b := Baseline{Workload: e.Workload}
		if was := k.baselines[e.Workload]; was != nil {
			b = *was
		}
		added, removed := b.become(e, have, owned[e.Workload])
		if len(b.Added) > mostAdded {
			return Imported{}, nil, &FileError{File: name, Line: e.Line, Field: "edges", Message: fmt.Sprintf("%d of them were never seen here; at most %d can be added to a workload", len(b.Added), mostAdded)}
		}
		sum.Workloads++
		if added+removed == 0 && !b.Closed.IsZero() && k.baselines[e.Workload] != nil {
			continue
		}
		sum.Changed, sum.Added, sum.Removed = sum.Changed+1, sum.Added+added, sum.Removed+removed
		if b.Closed.IsZero() {
			b.Closed = o.At
		}
		b.change(o.At, o.By, fmt.Sprintf("imported: %d edges added, %d taken out (%s)", added, removed, o.Reason))
		next[e.Workload] = &b
		made, err := k.importEntries(e, &b, have, o, added, removed)
		if err != nil {
			return Imported{}, nil, err
		}
		entries = append(entries, made...)
	}
	maps.Copy(k.baselines, next)
	k.stamp++
	return sum, entries, nil
}

// become makes a baseline hold what an entry says.
func (b *Baseline) become(e *BaselineEntry, have *known, owned []Habit) (added, removed int) {
	want := map[Habit]bool{}
	b.Added, b.Removed = nil, slices.Clone(b.Removed)
	for _, h := range e.Habits {
		want[h] = true
		if !slices.Contains(owned, h) {
			added++
		}
		b.Removed = slices.DeleteFunc(b.Removed, func(id string) bool { return id == h.ID() })
		b.Denied = slices.DeleteFunc(slices.Clone(b.Denied), func(id string) bool { return id == h.ID() })
		if !slices.Contains(owned, h) || !have.holdsByTime(h) {
			b.Added = append(b.Added, h)
		}
	}
	for h := range have.first { // also what is not known now must not become known by the closing
		if owner(h.Client, h.Server) != b.Workload || want[h] {
			continue
		}
		if slices.Contains(owned, h) {
			removed++
		}
		if id := h.ID(); !slices.Contains(b.Removed, id) {
			b.Removed = append(b.Removed, id)
		}
	}
	slices.Sort(b.Removed)
	if len(e.Images) > 0 {
		b.Images = slices.Clone(e.Images)
	}
	return added, removed
}

// holdsByTime says whether a habit is known for having been seen in time.
func (k *known) holdsByTime(h Habit) bool {
	at, seen := k.first[h]
	return seen && (!k.learnt(h.Client, at) || !k.learnt(h.Server, at))
}

// importEntries are what stands in the trail of one workload's import: the
// import itself, and the end of decisions that it takes back.
func (k *Keeper) importEntries(e *BaselineEntry, b *Baseline, have *known, o Order, added, removed int) ([]store.Decision, error) {
	detail, err := json.Marshal(map[string]any{"workload": workloadText(e.Workload), "version": b.Version, "edges": len(e.Habits), "added": added, "removed": removed})
	if err != nil {
		return nil, fmt.Errorf("writing the import of %s: %w", workloadText(e.Workload), err)
	}
	out := []store.Decision{{
		ID: o.NewID(), Cluster: k.cluster, Finding: baselinePrefix + workloadText(e.Workload), Verdict: store.Accepted, By: o.By, At: o.At, Reason: o.Reason, Detail: detail,
	}}
	for h, ids := range have.ids {
		if owner(h.Client, h.Server) != e.Workload {
			continue
		}
		wanted := slices.Contains(e.Habits, h)
		for _, id := range ids {
			v := have.decided[id].Verdict
			if v == store.Accepted && !wanted || v == store.Rejected && wanted {
				out = append(out, store.Decision{ID: o.NewID(), Cluster: k.cluster, Finding: id, Verdict: store.Reopened, By: o.By, At: o.At, Reason: o.Reason, Detail: detail})
			}
		}
	}
	for i := range out {
		if err := out[i].Validate(); err != nil {
			return nil, err
		}
	}
	return out, nil
}
