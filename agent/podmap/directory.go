// SPDX-License-Identifier: Apache-2.0

//go:build linux

package podmap

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"sync/atomic"
	"time"
)

// DefaultPoll is how often a directory is looked at. A pod that lives one
// second must be seen.
const DefaultPoll = 250 * time.Millisecond

// everyPoll is how often all files are looked at: in between their directories
// are, which change when a file comes, goes or is replaced. One that is written
// to in its place is seen a little later.
const everyPoll = 8

// maxPodFile bounds what is read of one file.
const maxPodFile = 64 << 20

// Directory is a source of pods: YAML and JSON files with Pods and Lists of
// them, as kubectl prints them. Files are read again when they change. A file
// that cannot be read is named once, and what it said before stays.
type Directory struct {
	path   string
	node   string
	poll   time.Duration
	logger *slog.Logger

	files map[string]*podFile
	dirs  map[string]time.Time // when each directory changed last, as of the last list
	bad   atomic.Int64         // files that cannot be read at present
	fails atomic.Uint64
}

type podFile struct {
	version fileVersion
	pods    []Pod  // of the last version that could be read
	problem string // of the present version; empty for none
}

type fileVersion struct {
	modified time.Time
	size     int64
	inode    uint64
}

// NewDirectory makes a source. Pods that name another node are not of it.
func NewDirectory(path, node string, poll time.Duration, logger *slog.Logger) *Directory {
	return &Directory{path: path, node: node, poll: poll, logger: logger, files: make(map[string]*podFile)}
}

// BadFiles is how many files cannot be read at present.
func (d *Directory) BadFiles() int64 { return d.bad.Load() }

// Failures counts versions of files that could not be read.
func (d *Directory) Failures() uint64 { return d.fails.Load() }

// Watch reads the directory at once and whenever a file changed.
func (d *Directory) Watch(ctx context.Context, update func([]Pod)) error {
	if _, err := d.list(); err != nil {
		return fmt.Errorf("reading the pods (--pods-dir): %w", err)
	}
	ticker := time.NewTicker(d.poll)
	defer ticker.Stop()
	var problem string
	for look := 0; ; look++ {
		var changed bool
		var err error
		if look%everyPoll == 0 || d.moved() {
			changed, err = d.refresh()
		}
		switch {
		case err != nil && err.Error() != problem:
			problem = err.Error()
			d.logger.ErrorContext(ctx, "the directory of pods cannot be read; what was known stays", slog.Any("error", err))
		case err == nil:
			problem = ""
		}
		if changed || look == 0 {
			update(d.pods())
		}
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
	}
}

// moved says whether a directory has changed since the last list.
func (d *Directory) moved() bool {
	for path, before := range d.dirs {
		info, err := os.Stat(path)
		if err != nil || !info.ModTime().Equal(before) {
			return true
		}
	}
	return false
}

// list finds the files, with a version for each.
func (d *Directory) list() (map[string]fileVersion, error) {
	found := make(map[string]fileVersion)
	d.dirs = make(map[string]time.Time)
	err := filepath.WalkDir(d.path, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			if errors.Is(err, fs.ErrNotExist) && path != d.path {
				return nil // gone between listing and looking
			}
			return err
		}
		if entry.IsDir() {
			d.note(path)
			return nil
		}
		if !isPodFile(path) {
			return nil
		}
		info, err := os.Stat(path) // follows links: a mounted ConfigMap is links
		if err != nil || !info.Mode().IsRegular() {
			return nil //nolint:nilerr // gone between listing and looking
		}
		found[path] = versionOf(info)
		return nil
	})
	return found, err
}

// note keeps when a directory changed last, before it is read.
func (d *Directory) note(path string) {
	if info, err := os.Stat(path); err == nil {
		d.dirs[path] = info.ModTime()
	}
}

func isPodFile(path string) bool {
	switch filepath.Ext(path) {
	case ".yaml", ".yml", ".json":
		return true
	}
	return false
}

// refresh reads what changed, and says whether the pods may have.
func (d *Directory) refresh() (changed bool, err error) {
	found, err := d.list()
	if err != nil {
		return false, err
	}
	for path := range d.files {
		if _, ok := found[path]; !ok {
			delete(d.files, path)
			changed = true
		}
	}
	var bad int64
	for path, version := range found {
		f := d.files[path]
		if f == nil {
			f = &podFile{}
			d.files[path] = f
		}
		if f.version != version {
			f.version = version
			d.read(path, f)
			changed = true
		}
		if f.problem != "" {
			bad++
		}
	}
	d.bad.Store(bad)
	return changed, nil
}

func (d *Directory) read(path string, f *podFile) {
	pods, err := readPods(path)
	if err == nil {
		f.pods, f.problem = pods, ""
		return
	}
	if errors.Is(err, fs.ErrNotExist) {
		return // the next look finds it gone
	}
	d.fails.Add(1)
	if f.problem != err.Error() {
		f.problem = err.Error()
		d.logger.Error("a file of pods cannot be read; what it said before stays", slog.Any("error", err), slog.Int("pods_kept", len(f.pods)))
	}
}

// pods gives the node's pods of all files; of two that say the same pod, the
// file that comes last by name.
func (d *Directory) pods() []Pod {
	paths := make([]string, 0, len(d.files))
	for path := range d.files {
		paths = append(paths, path)
	}
	slices.Sort(paths)
	byKey := make(map[string]int)
	var pods []Pod
	for _, path := range paths {
		for _, p := range d.files[path].pods {
			if p.Node != "" && p.Node != d.node {
				continue
			}
			if i, again := byKey[p.key()]; again {
				pods[i] = p
				continue
			}
			byKey[p.key()] = len(pods)
			pods = append(pods, p)
		}
	}
	return pods
}
