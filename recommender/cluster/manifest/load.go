// SPDX-License-Identifier: Apache-2.0

package manifest

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/netcinch/netcinch/recommender/cluster"
)

// Options are how files are read.
type Options struct {
	// Namespace is that of namespaced objects that name none. Empty: such
	// objects are left out as Problems, since nobody can tell where they go.
	Namespace string
	// Interval is how often Watch looks for changes; 0 means DefaultInterval.
	Interval time.Duration
	// Clock gives the time for Snapshot.Taken; nil leaves it zero.
	Clock func() time.Time
}

// DefaultInterval is how often Watch looks for changed files.
const DefaultInterval = time.Second

func (o Options) now() time.Time {
	if o.Clock == nil {
		return time.Time{}
	}
	return o.Clock()
}

// maxFileBytes bounds a file; a dump of 20,000 pods is some 200 MB.
const maxFileBytes = 1 << 30

// maxPipeBytes bounds what comes by a pipe, whose length nobody knows beforehand.
const maxPipeBytes = 256 << 20

// Load reads files, and folders with all below them (*.yaml, *.yml, *.json),
// once, with the default options. A path that cannot be read is an error; what
// is not understood in a file is in the snapshot's Problems.
func Load(paths []string) (*cluster.Snapshot, error) {
	return LoadWith(paths, Options{})
}

// LoadWith is Load with options.
func LoadWith(paths []string, o Options) (*cluster.Snapshot, error) {
	files, err := list(paths)
	if err != nil {
		return nil, err
	}
	var all content
	for _, f := range files {
		text, err := readFile(f)
		if err != nil {
			return nil, err
		}
		c := readText(f, o.Namespace, text)
		all.items = append(all.items, c.items...)
		all.problems = append(all.problems, c.problems...)
	}
	return cluster.Build(o.now(), all.items, all.problems), nil
}

// LoadText reads one text as if it were the file of that name: for manifests
// that come by request or on standard input.
func LoadText(name string, text []byte, o Options) *cluster.Snapshot {
	c := readText(name, o.Namespace, text)
	return cluster.Build(o.now(), c.items, c.problems)
}

// list gives the files under paths, each once, in a fixed order.
func list(paths []string) ([]string, error) {
	if len(paths) == 0 {
		return nil, errors.New("no manifests given: pass files or folders with -f")
	}
	var files []string
	seen := map[string]bool{}
	add := func(file string) {
		id := file
		if abs, err := filepath.Abs(file); err == nil {
			id = abs
		}
		if !seen[id] {
			seen[id] = true
			files = append(files, file)
		}
	}
	for _, root := range paths {
		found, err := under(root)
		if err != nil {
			return nil, err
		}
		for _, f := range found {
			add(f)
		}
	}
	return files, nil
}

// under lists one path. Names that start with a dot are left out: .git, and
// the versions that a mounted ConfigMap keeps beside its links.
func under(root string) ([]string, error) {
	info, err := os.Stat(root)
	if err != nil {
		return nil, fmt.Errorf("reading manifests: %w", plain(err))
	}
	if !info.IsDir() {
		return []string{root}, nil
	}
	var files []string
	err = filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil && path != root && errors.Is(err, fs.ErrNotExist):
			return nil // gone since it was listed
		case err != nil:
			return fmt.Errorf("reading manifests: %w", plain(err))
		case path != root && strings.HasPrefix(entry.Name(), "."):
			if entry.IsDir() {
				return filepath.SkipDir
			}
			return nil
		case !entry.IsDir() && isManifest(path) && isRegular(path, entry):
			files = append(files, path)
		}
		return nil
	})
	slices.Sort(files)
	return files, err
}

func isManifest(path string) bool {
	switch strings.ToLower(filepath.Ext(path)) {
	case ".yaml", ".yml", ".json":
		return true
	}
	return false
}

// isRegular follows a link to a file, and leaves links to folders alone.
func isRegular(path string, entry fs.DirEntry) bool {
	if entry.Type()&fs.ModeSymlink == 0 {
		return entry.Type().IsRegular()
	}
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular()
}

// readFile reads a file or a pipe up to a bound. Devices, some of which never
// end, are refused, standard input aside.
func readFile(path string) ([]byte, error) {
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return nil, fmt.Errorf("reading manifests: %w", plain(err))
	case info.Mode()&fs.ModeDevice != 0 && path != "/dev/stdin":
		return nil, fmt.Errorf("reading manifests: %s is a device; give a file, a folder or a pipe", path)
	case info.Size() > maxFileBytes:
		return nil, fmt.Errorf("reading manifests: %s has %d bytes, more than the %d that are read; split it", path, info.Size(), int64(maxFileBytes))
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("reading manifests: %w", plain(err))
	}
	defer f.Close()
	if info.Mode().IsRegular() {
		return readBounded(f, path, info.Size(), maxFileBytes)
	}
	return readBounded(f, path, 0, maxPipeBytes)
}

// readBounded reads to the end, or an error where that is beyond the limit. size
// is the length as far as known, in bytes.
func readBounded(r io.Reader, path string, size, limit int64) ([]byte, error) {
	var text bytes.Buffer
	text.Grow(int(size) + bytes.MinRead)
	if _, err := text.ReadFrom(io.LimitReader(r, limit+1)); err != nil {
		return nil, fmt.Errorf("reading manifests: %w", plain(err))
	}
	if int64(text.Len()) > limit {
		return nil, fmt.Errorf("reading manifests: %s gives more than the %d bytes that are read; give it in several files", path, limit)
	}
	return text.Bytes(), nil
}

// EmptyFolders tells of the folders among paths that hold no manifest.
func EmptyFolders(paths []string) []cluster.Problem {
	var out []cluster.Problem
	for _, root := range paths {
		if files, err := under(root); err == nil && len(files) == 0 {
			out = append(out, cluster.Problem{File: root, Message: "the folder holds no manifests (*.yaml, *.yml, *.json); nothing was read from it"})
		}
	}
	return out
}

// plain turns "open x: no such file" into "x: no such file".
func plain(err error) error {
	if pe, ok := errors.AsType[*fs.PathError](err); ok {
		return fmt.Errorf("%s: %w", pe.Path, pe.Err)
	}
	return err
}

// Read reads one text as if it were the file of that name, without making a
// snapshot of it: for sources that hold single objects as text.
func Read(name string, text []byte) ([]cluster.Item, []cluster.Problem) {
	c := readText(name, "", text)
	return c.items, c.problems
}
