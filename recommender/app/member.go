// SPDX-License-Identifier: Apache-2.0

package app

import (
	"context"
	"crypto/rand"

	"github.com/netcinch/netcinch/recommender/cluster"
	"github.com/netcinch/netcinch/recommender/ingest"
)

// member is one of the clusters that report: its objects, its addresses, its
// views. Members share the store and nothing else.
type member struct {
	name    string
	sources []string
	feed    feed
	history *cluster.History
	views   *views
	noter   *noter
	watch   *watch
	dirty   chan struct{} // holds one value while there are news
}

// touch says that there are news; it never blocks.
func (m *member) touch() {
	select {
	case m.dirty <- struct{}{}:
	default:
	}
}

func (a *App) openMembers() error {
	ctx, cancel := context.WithCancel(context.Background())
	a.later(func() error { cancel(); return nil })
	for _, one := range a.options.clusters() {
		f, sources, err := openFeed(ctx, a.options, one)
		if err != nil {
			return err
		}
		a.later(func() error { f.Close(); return nil })
		m := &member{name: one.Name, feed: f, sources: sources, history: cluster.NewHistory(cluster.HistoryOptions{}), dirty: make(chan struct{}, 1)}
		m.history.Observe(f.Snapshot())
		a.members = append(a.members, m)
	}
	return nil
}

// openViews gives each member its own views of what is kept.
func (a *App) openViews(problems []cluster.Problem) {
	boot := rand.Text()[:8]
	for _, m := range a.members {
		m.noter = newNoter(a.past)
		m.views = &views{
			options: a.options, cluster: m.name, boot: boot, past: a.past, snapshot: m.feed.Snapshot, extra: problems,
			slots: make(chan struct{}, 2), terms: m.watch.terms,
		}
	}
}

// member gives the cluster of a name, the first for the empty one; nil for none.
func (a *App) member(name string) *member {
	for _, m := range a.members {
		if name == "" || m.name == name {
			return m
		}
	}
	return nil
}

// names are the members', the first one first.
func (a *App) names() (names []string) {
	for _, m := range a.members {
		names = append(names, m.name)
	}
	return names
}

// resolvers are the members as ingest needs them.
func (a *App) resolvers() map[string]ingest.Resolver {
	all := map[string]ingest.Resolver{}
	for _, m := range a.members {
		all[m.name] = m.history
	}
	return all
}
