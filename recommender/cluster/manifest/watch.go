// SPDX-License-Identifier: Apache-2.0

package manifest

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/netcinch/netcinch/recommender/cluster"
)

// Watcher is a cluster.Feed of watched files.
type Watcher struct {
	paths    []string
	options  Options
	files    map[string]*watched
	order    []string
	lost     []cluster.Problem // paths that can no longer be read
	snapshot atomic.Pointer[cluster.Snapshot]
	changes  chan struct{}
	cancel   context.CancelFunc
	done     chan struct{}
}

// watched is a file with what is in force of it.
type watched struct {
	size    int64
	changed time.Time // modification time
	settled bool      // it was read so long after its change that a further one shows
	content content
}

// racy is for how long after a change a second one may carry the same
// modification time (file systems count in up to two seconds).
const racy = 2 * time.Second

// Watch loads files and folders and then reads again what changes, until the
// context ends or Close is called. Paths that cannot be read at the start are
// an error. Later nothing that was good is lost to an error: of a file that no
// longer parses, of an object that is no longer understood, of a path that is
// gone, the last good version stays in force beside the Problem.
func Watch(ctx context.Context, paths []string, o Options) (*Watcher, error) {
	if o.Interval <= 0 {
		o.Interval = DefaultInterval
	}
	ctx, cancel := context.WithCancel(ctx)
	w := &Watcher{
		paths: slices.Clone(paths), options: o, files: map[string]*watched{},
		changes: make(chan struct{}, 1), cancel: cancel, done: make(chan struct{}),
	}
	if err := w.start(); err != nil {
		cancel()
		return nil, err
	}
	go w.run(ctx)
	return w, nil
}

// Snapshot gives the newest snapshot.
func (w *Watcher) Snapshot() *cluster.Snapshot { return w.snapshot.Load() }

// Changes receives a value after a new snapshot is in place.
func (w *Watcher) Changes() <-chan struct{} { return w.changes }

// Close stops watching. Snapshot stays usable.
func (w *Watcher) Close() {
	w.cancel()
	<-w.done
}

func (w *Watcher) run(ctx context.Context) {
	defer close(w.done)
	ticker := time.NewTicker(w.options.Interval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			w.poll()
		}
	}
}

func (w *Watcher) start() error {
	files, err := list(w.paths)
	if err != nil {
		return err
	}
	w.order = files
	for _, f := range files {
		if err := w.read(f); err != nil {
			return err
		}
	}
	w.build()
	return nil
}

// poll looks at every file once and publishes if anything changed.
func (w *Watcher) poll() {
	changed := w.relist()
	for _, f := range w.order {
		info, err := os.Stat(f)
		have := w.files[f]
		if err == nil && have != nil && have.settled && have.size == info.Size() && have.changed.Equal(info.ModTime()) {
			continue
		}
		before := have
		if err := w.read(f); err != nil {
			changed = w.fail(f, err) || changed
			continue
		}
		changed = changed || before == nil || !sameContent(before.content, w.files[f].content)
	}
	if changed {
		w.publish()
	}
}

// relist finds files that came and went. A path that cannot be listed keeps
// its files.
func (w *Watcher) relist() bool {
	var files []string
	var lost []cluster.Problem
	for _, p := range w.paths {
		found, err := list([]string{p})
		if err != nil {
			lost = append(lost, cluster.Problem{File: p, Message: fmt.Sprintf("%v; what was read before stays in force", err)})
			found = w.under(p)
		}
		for _, f := range found {
			if !slices.Contains(files, f) {
				files = append(files, f)
			}
		}
	}
	changed := !slices.Equal(files, w.order) || !slices.Equal(lost, w.lost)
	w.order, w.lost = files, lost
	for f := range w.files {
		if !slices.Contains(files, f) {
			delete(w.files, f)
		}
	}
	return changed
}

// under lists the files that were known below a path.
func (w *Watcher) under(path string) []string {
	var files []string
	for _, f := range w.order {
		if f == path || len(f) > len(path) && f[:len(path)] == path {
			files = append(files, f)
		}
	}
	return files
}

// read reads a file anew. What it no longer understands stays as it was.
func (w *Watcher) read(file string) error {
	info, err := os.Stat(file)
	if err != nil {
		return fmt.Errorf("reading manifests: %w", plain(err))
	}
	text, err := readFile(file)
	if err != nil {
		return err
	}
	fresh := readText(file, w.options.Namespace, text)
	if old := w.files[file]; old != nil && len(fresh.problems) > 0 {
		fresh = keepGood(old.content, fresh)
	}
	w.files[file] = &watched{
		size: info.Size(), changed: info.ModTime(), content: fresh,
		settled: w.options.now().Sub(info.ModTime()) > racy,
	}
	return nil
}

// fail notes that a listed file cannot be read; it reports whether that is new.
func (w *Watcher) fail(file string, err error) bool {
	have := w.files[file]
	if have == nil {
		have = &watched{}
		w.files[file] = have
	}
	p := cluster.Problem{File: file, Message: fmt.Sprintf("%v; what was read before stays in force", err)}
	have.settled = false
	known := len(have.content.problems) == 1 && have.content.problems[0] == p
	have.content.problems = []cluster.Problem{p}
	return !known
}

// keepGood takes over from the old version the objects that the new version
// spoils: those that a problem names, and, where a document does not parse and
// may have held anything, all that the new version does not define.
func keepGood(old, fresh content) content {
	spoilt := map[cluster.Ref]bool{}
	for _, p := range fresh.problems {
		spoilt[p.Ref] = true
	}
	defined := map[cluster.Ref]bool{}
	for _, item := range fresh.items {
		defined[item.Ref] = true
	}
	kept := 0
	for _, item := range old.items {
		if !defined[item.Ref] && (fresh.broken || spoilt[item.Ref]) {
			fresh.items = append(fresh.items, item)
			kept++
		}
	}
	for i := range fresh.problems {
		if kept > 0 {
			p := &fresh.problems[i]
			p.Message = strings.TrimSuffix(p.Message, leftOut(p.Ref)) + "; the last good version stays in force"
		}
	}
	return fresh
}

// sameContent: equal text at equal lines gives equal objects.
func sameContent(a, b content) bool {
	return slices.Equal(a.problems, b.problems) && slices.EqualFunc(a.items, b.items, func(x, y cluster.Item) bool {
		return x.Ref == y.Ref && x.Source.Line == y.Source.Line && string(x.Source.YAML) == string(y.Source.YAML)
	})
}

func (w *Watcher) publish() {
	w.build()
	select {
	case w.changes <- struct{}{}:
	default:
	}
}

func (w *Watcher) build() {
	var all content
	all.problems = slices.Concat(w.lost, EmptyFolders(w.paths))
	for _, f := range w.order {
		if have := w.files[f]; have != nil {
			all.items = append(all.items, have.content.items...)
			all.problems = append(all.problems, have.content.problems...)
		}
	}
	w.snapshot.Store(cluster.Build(w.options.now(), all.items, all.problems))
}
