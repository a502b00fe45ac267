// SPDX-License-Identifier: Apache-2.0

//go:build linux

package probe

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"
	"golang.org/x/sys/unix"

	"github.com/netcinch/netcinch/bpf"
)

// DefaultPinDir is where maps and links are pinned.
const DefaultPinDir = "/sys/fs/bpf/netcinch"

// ErrNoFileSystem says that a directory to pin in is not of a BPF file system.
var ErrNoFileSystem = errors.New("not in a BPF file system")

// pins is the directory that holds maps and links while no agent runs. Below
// it there is one directory for each layout of the maps: what another version
// of the agent with another layout has pinned is not read, but taken away once
// our programs are in its place.
type pins struct {
	root string
	dir  string // root/vABI
	lock *os.File
}

// openPins makes the directory and takes it; no other agent may use it.
func openPins(root string) (*pins, error) {
	if err := inBPFFS(root); err != nil {
		return nil, err
	}
	p := &pins{root: root, dir: filepath.Join(root, "v"+strconv.Itoa(bpf.ABI))}
	for _, dir := range []string{p.mapsDir(), p.linksDir()} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return nil, fmt.Errorf("making the directory for pins (--pin-dir): %w", err)
		}
	}
	return p, p.take()
}

// take locks the directory for as long as the process lives.
func (p *pins) take() error {
	f, err := os.Open(p.root)
	if err != nil {
		return fmt.Errorf("opening the directory for pins (--pin-dir): %w", err)
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		_ = f.Close() // nothing was written to it
		if errors.Is(err, unix.EWOULDBLOCK) {
			return fmt.Errorf("the directory for pins %s is in use by another agent: give each its own --pin-dir", p.root)
		}
		return fmt.Errorf("locking %s: %w", p.root, err)
	}
	p.lock = f
	return nil
}

// inBPFFS looks at the directory or the nearest one above it that exists.
func inBPFFS(path string) error {
	var stat unix.Statfs_t
	for at := filepath.Clean(path); ; at = filepath.Dir(at) {
		err := unix.Statfs(at, &stat)
		if errors.Is(err, fs.ErrNotExist) && at != filepath.Dir(at) {
			continue
		}
		if err != nil {
			return fmt.Errorf("looking at the directory for pins (--pin-dir): %w", &os.PathError{Op: "statfs", Path: at, Err: err})
		}
		if stat.Type != unix.BPF_FS_MAGIC {
			return fmt.Errorf("the directory for pins (--pin-dir) %s is %w: mount one (mount -t bpf bpf /sys/fs/bpf), or give the container the host's", path, ErrNoFileSystem)
		}
		return nil
	}
}

func (p *pins) mapsDir() string { return filepath.Join(p.dir, "maps") }

func (p *pins) linksDir() string { return filepath.Join(p.dir, "links") }

func (p *pins) linkPath(slot uint32, d Direction) string {
	return filepath.Join(p.linksDir(), fmt.Sprintf("%d-%s", slot, d))
}

// found gives the pinned links, by slot and direction. What cannot be read is
// taken away: it would never be found again.
func (p *pins) found() (map[uint32]*[2]link.Link, error) {
	entries, err := os.ReadDir(p.linksDir())
	if err != nil {
		return nil, fmt.Errorf("reading the directory for pins: %w", err)
	}
	links := make(map[uint32]*[2]link.Link)
	for _, entry := range entries {
		path := filepath.Join(p.linksDir(), entry.Name())
		slot, d, ok := parsePin(entry.Name())
		if !ok {
			return nil, fmt.Errorf("%s in the directory for pins is none of ours: take it away", path)
		}
		l, err := link.LoadPinnedLink(path, nil)
		if err != nil {
			return nil, fmt.Errorf("opening the pinned link %s: %w", path, err)
		}
		if links[slot] == nil {
			links[slot] = new([2]link.Link)
		}
		links[slot][d] = l
	}
	return links, nil
}

func parsePin(name string) (slot uint32, d Direction, ok bool) {
	digits, direction, _ := strings.Cut(name, "-")
	n, err := strconv.ParseUint(digits, 10, 24)
	switch {
	case err != nil || n == 0:
		return 0, 0, false
	case direction == Ingress.String():
		return uint32(n), Ingress, true
	case direction == Egress.String():
		return uint32(n), Egress, true
	}
	return 0, 0, false
}

// stale gives the directories of other layouts.
func (p *pins) stale() ([]string, error) {
	entries, err := os.ReadDir(p.root)
	if err != nil {
		return nil, fmt.Errorf("reading the directory for pins: %w", err)
	}
	var dirs []string
	for _, entry := range entries {
		if dir := filepath.Join(p.root, entry.Name()); entry.IsDir() && dir != p.dir {
			dirs = append(dirs, dir)
		}
	}
	return dirs, nil
}

// remove takes everything away. Links that nobody holds detach by that.
func (p *pins) remove() error { return os.RemoveAll(p.root) }

func (p *pins) close() error { return p.lock.Close() }

// sizeOf gives the size of a pinned map; 0 for one that is not there.
func (p *pins) sizeOf(name string) (uint32, error) {
	m, err := ebpf.LoadPinnedMap(filepath.Join(p.mapsDir(), name), nil)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("opening the pinned map %s: %w", name, err)
	}
	defer func() { _ = m.Close() }() // the pin stays
	return m.MaxEntries(), nil
}
