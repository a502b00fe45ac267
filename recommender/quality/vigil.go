// SPDX-License-Identifier: Apache-2.0

package quality

import (
	"crypto/rand"
	"fmt"
	"slices"
	"time"

	"github.com/netcinch/netcinch/recommender/alert"
	"github.com/netcinch/netcinch/recommender/analyze"
	"github.com/netcinch/netcinch/recommender/flow"
	"github.com/netcinch/netcinch/recommender/policy"
	"github.com/netcinch/netcinch/recommender/store"
)

// Vigil is how the alerts did on one topology.
type Vigil struct {
	Topology  string
	Workloads int
	Days      float64 // that were watched without an attack, after the learning period
	Settled   float64 // of them, those of the window after
	// False are alerts that somebody was told of without an attack, as title and
	// day; FalseLate those of the window after.
	False, FalseLate []string
	Held             int // alerts that nobody was woken for
	Attacks          []Detection
}

// Detection is what came of one attack.
type Detection struct {
	Name  string
	Kinds []alert.Kind  // that were told of it, the first first
	After time.Duration // from its first connection to the first of them; negative where there was none
	Told  int           // alerts that somebody was told of, in all
}

// watcher runs the alerts over a world.
type watcher struct {
	s         *simulator
	options   alert.Options
	keeper    *alert.Keeper
	records   []flow.Record
	catalogue map[flow.Edge]*store.Catalogued
	trail     []store.Decision
}

// Watch measures the alerts on one topology: over the whole history, in which
// somebody accepts each alert that was told, and then, where that is asked for,
// under each attack.
func Watch(t Topology, seed uint64, learning time.Duration, underAttack bool) (*Vigil, error) {
	w := &watcher{s: newSimulator(t, seed), options: alert.Options{Learning: learning}, catalogue: map[flow.Edge]*store.Catalogued{}}
	var err error
	if w.keeper, err = alert.New(t.Name, w.options, nil); err != nil {
		return nil, err
	}
	v := &Vigil{Topology: t.Name, Workloads: len(t.Workloads), Days: (Learnt + After - learning).Hours() / 24, Settled: After.Hours() / 24}
	if err = w.history(v); err != nil {
		return nil, err
	}
	if !underAttack {
		return v, nil
	}
	return v, w.attacked(v)
}

// history looks at the end of each day of what is learnt, and of each bin of
// the window after.
func (w *watcher) history(v *Vigil) error {
	all := slices.Concat(w.s.Records, w.s.Following)
	step := 24 * time.Hour
	for at := begin.Add(step); !at.After(begin.Add(Learnt + After)); at = at.Add(step) {
		if !at.Before(begin.Add(Learnt)) {
			step = bin
		}
		n, _ := slices.BinarySearchFunc(all, at, func(r flow.Record, at time.Time) int { return r.Window.End.Compare(at.Add(1)) })
		w.add(all[:n])
		all = all[n:]
		if err := w.look(at); err != nil {
			return err
		}
		for _, a := range w.told() {
			text := fmt.Sprintf("day %d: %s: %s", int(at.Sub(begin).Hours()/24), a.Kind, a.Title)
			v.False = append(v.False, text)
			if at.After(begin.Add(Learnt)) {
				v.FalseLate = append(v.FalseLate, text)
			}
			if err := w.accept(a.ID, at); err != nil {
				return err
			}
		}
	}
	for _, a := range w.keeper.Alerts() {
		if a.Held != "" {
			v.Held++
		}
	}
	return nil
}

// add takes in records, with the programs that made them.
func (w *watcher) add(records []flow.Record) {
	for _, r := range records {
		for _, end := range []*flow.Endpoint{&r.Edge.Client, &r.Edge.Server} {
			if !end.Workload.IsZero() && end.Process == "" {
				end.Process = programOf(end.Workload)
			}
		}
		w.records = append(w.records, r)
		key := store.Key(store.Fold(r.Edge))
		k := w.catalogue[key]
		if k == nil {
			k = &store.Catalogued{Edge: key, FirstSeen: r.Window.Start}
			w.catalogue[key] = k
		}
		if r.Window.End.After(k.LastSeen) {
			k.LastSeen = r.Window.End
		}
		if p := r.Edge.Client.Process; p != "" {
			k.Client = k.Client.Add(store.Program{Path: p, FirstSeen: r.Window.Start, LastSeen: r.Window.End})
		}
		if p := r.Edge.Server.Process; p != "" {
			k.Server = k.Server.Add(store.Program{Path: p, FirstSeen: r.Window.Start, LastSeen: r.Window.End})
		}
	}
}

// kept is for how long records are kept, as a recommender does by default.
const kept = 14 * 24 * time.Hour

func (w *watcher) look(at time.Time) error {
	w.records = slices.DeleteFunc(w.records, func(r flow.Record) bool { return at.Sub(r.Window.End) > kept })
	snapshot, err := w.s.cluster(at, "")
	if err != nil {
		return err
	}
	engine, _ := policy.Compile(snapshot, policy.Options{})
	in := alert.Input{Now: at, Snapshot: snapshot, Engine: engine, Index: analyze.NewIndex(snapshot), Trail: w.trail}
	terms := w.keeper.Terms(w.trail, at)
	input := analyze.Input{
		Snapshot: snapshot, Engine: engine, Records: w.records, Window: flow.Window{Start: w.records[0].Window.Start, End: at},
		Options: analyze.Options{Learning: w.options.Learning, Accepted: terms.Accepted, Excluded: terms.Excluded, Closed: terms.Closed},
	}
	for i := range w.records {
		if at.Sub(w.records[i].Window.End) < time.Hour {
			in.Recent = append(in.Recent, w.records[i])
		}
	}
	for _, c := range w.catalogue {
		in.Catalogue = append(in.Catalogue, *c)
	}
	slices.SortFunc(in.Catalogue, func(a, b store.Catalogued) int { return store.Compare(a.Edge, b.Edge) })
	for i := range in.Catalogue {
		c := &in.Catalogue[i]
		input.Catalogue = append(input.Catalogue, analyze.Known{Edge: c.Edge, FirstSeen: c.FirstSeen, LastSeen: c.LastSeen})
	}
	if in.Report, err = analyze.Analyze(input); err != nil {
		return fmt.Errorf("watching %s: %w", w.s.Topology.Name, err)
	}
	w.keeper.Look(in)
	return nil
}

// told gives the alerts that began to fire, and notes that they were told.
func (w *watcher) told() (out []alert.Alert) {
	list := w.keeper.Untold()
	w.keeper.Told(list)
	for _, a := range list {
		if a.Status == alert.Firing {
			out = append(out, a)
		}
	}
	return out
}

func (w *watcher) accept(id string, at time.Time) error {
	entries, err := w.keeper.Decide(id, alert.Order{Verdict: store.Accepted, By: "somebody", Reason: "it is needed", At: at, NewID: rand.Text})
	if err != nil {
		return fmt.Errorf("accepting an alert of %s: %w", w.s.Topology.Name, err)
	}
	w.trail = append(w.trail, entries...)
	w.keeper.Decided(entries, at)
	return nil
}

// attacked injects each attack behind the history, on what was saved by then.
func (w *watcher) attacked(v *Vigil) error {
	end := begin.Add(Learnt + After)
	rows, err := w.saved(end)
	if err != nil {
		return err
	}
	records, catalogue := w.records, w.catalogue
	for _, one := range attacks {
		if w.keeper, err = alert.New(w.s.Topology.Name, w.options, rows); err != nil {
			return err
		}
		w.records, w.catalogue = slices.Clone(records), map[flow.Edge]*store.Catalogued{}
		for k, c := range catalogue {
			same := *c
			w.catalogue[k] = &same
		}
		d, err := w.under(one, end)
		if err != nil {
			return err
		}
		v.Attacks = append(v.Attacks, d)
	}
	return nil
}

// saved gives all rows of the keeper.
func (w *watcher) saved(at time.Time) ([]store.Finding, error) {
	return w.keeper.Unsaved(at) // nothing was ever saved
}

func (w *watcher) under(one attack, at time.Time) (Detection, error) {
	d := Detection{Name: one.name, After: -1}
	a := newAssault(w.s, at)
	for n := range int(attackLasts / minute) {
		from := at.Add(time.Duration(n) * minute)
		batch := one.do(a, n)
		for i := range batch {
			batch[i].Window = flow.Window{Start: from, End: from.Add(minute)}
		}
		w.add(batch)
		if err := w.look(from.Add(minute)); err != nil {
			return d, err
		}
		for _, told := range w.told() {
			if !slices.Contains(told.Workloads, a.victim.String()) {
				continue
			}
			if d.Told == 0 {
				d.After = from.Add(minute).Sub(at)
			}
			d.Told++
			if !slices.Contains(d.Kinds, told.Kind) {
				d.Kinds = append(d.Kinds, told.Kind)
			}
		}
	}
	return d, nil
}
