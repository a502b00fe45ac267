// SPDX-License-Identifier: Apache-2.0

//go:build linux

package podmap

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path"
	"sync/atomic"
	"time"

	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"

	"github.com/netcinch/netcinch/agent/capture"
)

// Attacher watches interfaces; [capture.Collector] is one.
type Attacher interface {
	Attach(netns, ifname string) (capture.Slot, error)
	AttachHost(netns, ifname string) (capture.Slot, error)
	Detach(slot capture.Slot) error
}

// WatcherOptions say where pods' interfaces appear.
type WatcherOptions struct {
	NodeNetns string   // path of the node's network namespace; empty for the process's own
	NetnsDirs []string // where the container runtime keeps network namespaces
	Ignore    []string // patterns (path.Match) of host-side names that are no pods'
	HostSide  bool     // attach to the host's side of each pair, in the node's own namespace

	Attacher Attacher
	Registry *Registry
	Clock    func() time.Time
	Logger   *slog.Logger
}

// Watcher follows the veth pairs of the node. It belongs to one goroutine,
// except for Failures.
type Watcher struct {
	WatcherOptions

	own    netns.NsHandle
	node   *node
	socket *socket
	links  map[int]*link    // by host-side index
	ways   map[int]struct{} // links that are the node's own way out
	fails  atomic.Uint64
	lost   atomic.Uint64
	early  bool // still listing what was there at the start
}

// link is the host side of one pair.
type link struct {
	index int
	name  string
	nsid  int // of the namespace that the other side is in
	peer  int // index of the other side
	// parted: that namespace is ending. Its id may be another pod's by now, long
	// before the link itself is gone.
	parted bool

	slot     capture.Slot
	attached bool
	polls    int       // how often addresses were asked for in vain
	due      time.Time // when to try again; zero for never
	tries    int
}

// NewWatcher opens the node's namespace and begins to listen; [Watcher.Run]
// attaches.
func NewWatcher(o WatcherOptions) (*Watcher, error) {
	for _, pattern := range o.Ignore {
		if _, err := path.Match(pattern, ""); err != nil {
			return nil, fmt.Errorf("the pattern %q (--ignore-link): %w", pattern, err)
		}
	}
	own, err := openNetns(o.NodeNetns)
	if err != nil {
		return nil, err
	}
	w := &Watcher{WatcherOptions: o, own: own, links: make(map[int]*link), early: true}
	if w.node, err = openNode(own, o.NetnsDirs); err != nil {
		return nil, errors.Join(err, closeNetns(own))
	}
	if w.socket, err = openSocket(own); err != nil {
		w.node.close()
		return nil, errors.Join(err, closeNetns(own))
	}
	return w, nil
}

// openNetns gives no handle for the process's own namespace: to enter even that
// takes CAP_SYS_ADMIN.
func openNetns(file string) (netns.NsHandle, error) {
	if file == "" {
		return netns.None(), nil
	}
	var stat unix.Statfs_t
	if err := unix.Statfs(file, &stat); err != nil {
		return netns.None(), fmt.Errorf("opening the node's network namespace (--netns): %w", &os.PathError{Op: "statfs", Path: file, Err: err})
	}
	if stat.Type != unix.NSFS_MAGIC && stat.Type != unix.PROC_SUPER_MAGIC {
		return netns.None(), fmt.Errorf("opening the node's network namespace (--netns): %s is not a network namespace", file)
	}
	h, err := netns.GetFromPath(file)
	if err != nil {
		return netns.None(), fmt.Errorf("opening the node's network namespace (--netns): %w", err)
	}
	return h, nil
}

func closeNetns(h netns.NsHandle) error {
	if !h.IsOpen() {
		return nil
	}
	return h.Close()
}

// Failures counts interfaces that could not be watched.
func (w *Watcher) Failures() uint64 { return w.fails.Load() }

// Overruns counts how often notifications of the kernel were lost and
// everything was listed again.
func (w *Watcher) Overruns() uint64 { return w.lost.Load() }

// PollsAddresses says that the kernel does not tell of other namespaces'
// addresses (CAP_NET_BROADCAST is missing), so that they are polled.
func (w *Watcher) PollsAddresses() bool { return w.socket != nil && !w.socket.allIDs }

// Start attaches to what is there already.
func (w *Watcher) Start() error {
	err := w.list()
	w.early = false
	return err
}

// Run follows what appears and goes, until the context ends; interfaces stay
// attached.
func (w *Watcher) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	events := make(chan event, 256)
	failed := make(chan error, 1)
	go func() { failed <- w.socket.pump(ctx, events) }()
	stopReading := context.AfterFunc(ctx, func() {
		_ = w.socket.file.SetReadDeadline(time.Unix(1, 0)) // wakes the reader; it sees why
	})
	defer stopReading()
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		timer.Reset(w.untilDue())
		select {
		case <-ctx.Done():
			return <-failed
		case err := <-failed:
			return err
		case e := <-events:
			w.handle(e)
		case <-timer.C:
			w.retry()
		}
	}
}

// Close lets go of the sockets.
func (w *Watcher) Close() error {
	w.node.close()
	return errors.Join(w.socket.close(), closeNetns(w.own))
}
