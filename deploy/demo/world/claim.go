// SPDX-License-Identifier: Apache-2.0

//go:build linux

package world

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/netcinch/netcinch/deploy/demo/plan"
)

// DefaultLock is where the one demo of a machine marks its place.
const DefaultLock = "/run/netcinch-demo.lock"

const (
	netnsFolder = "/run/netns"
	statePrefix = "netcinch-demo-"
)

// ErrBusy says that another demo holds the machine.
var ErrBusy = errors.New("another demo is running")

// Claim is the right to build the world on this machine. The lock goes with
// the process whatever happens to it; its content tells the next start what
// to clean.
type Claim struct {
	State   string // the state folder, empty at first
	Cleaned bool   // a killed run's leftovers were found and removed
	lock    *os.File
	made    bool
}

type marker struct {
	PID   int    `json:"pid"`
	State string `json:"state"`
	Made  bool   `json:"made"` // the namespace folder was not there before
}

// Take locks the machine, cleans up after a run that was killed, and makes
// the state folder.
func Take(lockPath string) (*Claim, error) {
	lock, err := lockFile(lockPath)
	if err != nil {
		return nil, err
	}
	c := &Claim{lock: lock}
	left, err := clean(lock)
	if err != nil {
		return nil, errors.Join(err, lock.Close())
	}
	_, err = os.Stat(netnsFolder)
	c.Cleaned, c.made = left.State != "", left.Made || errors.Is(err, fs.ErrNotExist)
	if c.State, err = os.MkdirTemp("", statePrefix); err != nil {
		return nil, errors.Join(fmt.Errorf("making state folder: %w", err), c.Release())
	}
	data, err := json.Marshal(marker{PID: os.Getpid(), State: c.State, Made: c.made})
	if err == nil {
		err = errors.Join(lock.Truncate(0), writeAt(lock, data))
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("marking %s: %w", lockPath, err), c.Release())
	}
	return c, nil
}

func writeAt(f *os.File, data []byte) error {
	_, err := f.WriteAt(data, 0)
	return err
}

// lockFile opens and locks the file that the path names at that moment: one
// that its holder removed meanwhile is no lock.
func lockFile(path string) (*os.File, error) {
	for {
		f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
		if err != nil {
			return nil, fmt.Errorf("opening lock: %w", err)
		}
		if err = unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
			defer f.Close()
			if !errors.Is(err, unix.EWOULDBLOCK) {
				return nil, fmt.Errorf("locking %s: %w", path, err)
			}
			return nil, fmt.Errorf("%w (process %d): end it with Ctrl-C first", ErrBusy, readMarker(f).PID)
		}
		held, err := f.Stat()
		if err != nil {
			return nil, errors.Join(fmt.Errorf("locking %s: %w", path, err), f.Close())
		}
		if named, err := os.Stat(path); err == nil && os.SameFile(held, named) {
			return f, nil
		}
		_ = f.Close() // it was removed between the two steps: try again
	}
}

// readMarker gives what the file says; nothing, if it says nothing sensible.
func readMarker(f *os.File) marker {
	var m marker
	if json.NewDecoder(f).Decode(&m) != nil {
		return marker{}
	}
	return m
}

// clean removes what a killed run left: its processes ended with it, so its
// namespaces and its state folder are what remains. It gives that run's
// marker, which is empty where there was none.
func clean(lock *os.File) (marker, error) {
	names, err := filepath.Glob(filepath.Join(netnsFolder, plan.NetnsPrefix+"*"))
	if err != nil {
		return marker{}, fmt.Errorf("listing network namespaces: %w", err)
	}
	m := readMarker(lock)
	if m.State == "" {
		if len(names) > 0 {
			return marker{}, fmt.Errorf("%s is there and no demo says that it made it: remove it (ip netns delete %s)",
				names[0], filepath.Base(names[0]))
		}
		return marker{}, nil
	}
	for _, name := range names {
		if err := unname(filepath.Base(name)); err != nil {
			return marker{}, fmt.Errorf("removing a leftover: %w", err)
		}
	}
	if strings.HasPrefix(filepath.Base(m.State), statePrefix) {
		if err := os.RemoveAll(m.State); err != nil {
			return marker{}, fmt.Errorf("removing leftover %s: %w", m.State, err)
		}
	}
	return m, nil
}

// Release removes the state folder and gives the machine free.
func (c *Claim) Release() error {
	var errs []error
	if c.State != "" {
		errs = append(errs, os.RemoveAll(c.State))
	}
	if c.made {
		// Only if nobody else put something there meanwhile.
		if err := os.Remove(netnsFolder); err != nil && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, unix.ENOTEMPTY) {
			errs = append(errs, err)
		}
	}
	errs = append(errs, os.Remove(c.lock.Name()), c.lock.Close())
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("releasing the machine: %w", err)
	}
	return nil
}
