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

	"github.com/cilium/ebpf"

	"github.com/netcinch/netcinch/bpf"
)

// Removed is what a clean-up took away.
type Removed struct {
	Links   int // pinned links, two for each interface
	Filters int // interfaces with clsact filters
	Maps    int
}

// CleanUp detaches and removes all that agents have left in a directory for
// pins. What was counted and not reported is gone with it. No agent may be
// running there. Filters are looked for in the network namespaces of the
// directories and of every process.
func CleanUp(root string, netnsDirs []string) (Removed, error) {
	var r Removed
	if _, err := os.Stat(root); errors.Is(err, fs.ErrNotExist) {
		return r, nil
	}
	if err := inBPFFS(root); err != nil {
		return r, err
	}
	p := &pins{root: root, dir: filepath.Join(root, "v"+strconv.Itoa(bpf.ABI))}
	if err := p.take(); err != nil {
		return r, err
	}
	defer func() { _ = p.close() }() // only a lock
	filters, err := p.removeFilters(netnsDirs)
	r.Filters = filters
	for _, kind := range []struct {
		dir   string
		count *int
	}{{"links", &r.Links}, {"maps", &r.Maps}} {
		found, _ := filepath.Glob(filepath.Join(root, "v*", kind.dir, "*")) // the pattern is well formed
		*kind.count = len(found)
	}
	return r, errors.Join(err, p.remove())
}

// removeFilters takes away the filters that the pinned slots tell of.
func (p *pins) removeFilters(netnsDirs []string) (interfaces int, err error) {
	slots, err := ebpf.LoadPinnedMap(filepath.Join(p.mapsDir(), bpf.FlowMapSlots), nil)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("opening the pinned slots: %w", err)
	}
	defer func() { _ = slots.Close() }() // it is removed next
	s := &Set{options: Options{NetnsDirs: netnsDirs}}
	var key bpf.FlowInterface
	var a bpf.FlowAttachment
	entries := slots.Iterate()
	for entries.Next(&key, &a) {
		if Mode(a.Mode) == Clsact {
			interfaces++
			err = errors.Join(err, s.detachFilters("", key))
		}
	}
	return interfaces, errors.Join(err, entries.Err())
}

// Remove detaches everything and takes the pins away, for good.
func (s *Set) Remove() error {
	if s.pins == nil {
		return nil
	}
	return s.pins.remove()
}
