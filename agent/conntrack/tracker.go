// SPDX-License-Identifier: Apache-2.0

//go:build linux

package conntrack

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"sync"
	"syscall"
	"time"

	"github.com/vishvananda/netlink/nl"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"

	"github.com/netcinch/netcinch/agent/capture"
)

const (
	// DefaultMax bounds the connections in memory.
	DefaultMax = 65_536
	// linger is how long a connection is known after its end: its flow is read
	// later than that it ends.
	linger = time.Minute

	groupNew     = 1 // NFNLGRP_CONNTRACK_NEW
	groupDestroy = 3 // NFNLGRP_CONNTRACK_DESTROY

	messageNew    = 0 // IPCTNL_MSG_CT_NEW; also each answer to a dump
	messageGet    = 1
	messageDelete = 2

	receiveBuffer = 4 << 20
)

// ends is a flow as its local end sees it.
type ends struct {
	local, remote netip.AddrPort
	protocol      uint8
}

// entry is what is known of a flow.
type entry struct {
	connection
	client bool      // the local end began it
	ended  time.Time // zero while it lives
}

// Options say what is followed.
type Options struct {
	Netns string // path of the namespace whose conntrack sees the pods' packets; empty for the process's own
	Max   int    // connections in memory; above it further ones are not known, and counted
	Clock func() time.Time
}

// Counts are cumulative.
type Counts struct {
	Full uint64 // connections that found no room
	Lost uint64 // times that events were lost, and all were listed again
}

// Tracker knows the node's connections. Its methods are safe for use by
// several goroutines.
type Tracker struct {
	options Options
	file    *os.File
	done    chan struct{}

	mu     sync.Mutex
	known  map[ends]*entry
	counts Counts
}

// Open begins to follow, and lists what is there already.
func Open(o Options) (*Tracker, error) {
	if o.Max <= 0 || o.Clock == nil {
		return nil, errors.New("conntrack: Max and Clock must be set")
	}
	t := &Tracker{options: o, done: make(chan struct{}), known: make(map[ends]*entry)}
	fd, err := t.socket()
	if err != nil {
		return nil, fmt.Errorf("following connection tracking by its events: %w", err)
	}
	t.file = os.NewFile(uintptr(fd), "conntrack")
	if err := t.list(); err != nil {
		return nil, errors.Join(err, t.file.Close())
	}
	go t.run()
	return t, nil
}

func (t *Tracker) socket() (fd int, err error) {
	ns := netns.None()
	if t.options.Netns != "" {
		if ns, err = netns.GetFromPath(t.options.Netns); err != nil {
			return 0, err
		}
		defer func() { _ = ns.Close() }() // only a handle
	}
	s, err := nl.GetNetlinkSocketAt(ns, netns.None(), unix.NETLINK_NETFILTER)
	if err != nil {
		return 0, err
	}
	defer s.Close() // a duplicate goes on
	if fd, err = unix.FcntlInt(uintptr(s.GetFd()), unix.F_DUPFD_CLOEXEC, 0); err != nil {
		return 0, err
	}
	if unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, receiveBuffer) != nil {
		_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF, receiveBuffer) // as much as is allowed
	}
	for _, group := range []int{groupNew, groupDestroy} {
		if err := unix.SetsockoptInt(fd, unix.SOL_NETLINK, unix.NETLINK_ADD_MEMBERSHIP, group); err != nil {
			return 0, errors.Join(err, unix.Close(fd))
		}
	}
	return fd, unix.SetNonblock(fd, true)
}

// list asks for all connections; the answers come as events do.
func (t *Tracker) list() error {
	req := nl.NewNetlinkRequest(unix.NFNL_SUBSYS_CTNETLINK<<8|messageGet, unix.NLM_F_DUMP)
	req.AddRawData([]byte{unix.AF_UNSPEC, 0, 0, 0}) // struct nfgenmsg
	if _, err := t.file.Write(req.Serialize()); err != nil {
		return fmt.Errorf("listing the tracked connections: %w", err)
	}
	return nil
}

func (t *Tracker) run() {
	defer close(t.done)
	buffer := make([]byte, 64<<10)
	for {
		n, err := t.file.Read(buffer)
		switch {
		case errors.Is(err, unix.ENOBUFS):
			t.mu.Lock()
			t.counts.Lost++
			t.mu.Unlock()
			_ = t.list() // what cannot be asked for comes with later events
		case err != nil:
			return // closed
		default:
			t.take(buffer[:n])
		}
	}
}

func (t *Tracker) take(datagram []byte) {
	messages, err := syscall.ParseNetlinkMessage(datagram)
	if err != nil {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, m := range messages {
		if m.Header.Type>>8 != unix.NFNL_SUBSYS_CTNETLINK {
			continue
		}
		c, ok := parseMessage(m.Data)
		if !ok {
			continue
		}
		if m.Header.Type&0xff == messageDelete {
			t.end(c)
		} else {
			t.add(c)
		}
	}
}

// sides gives a connection as its two ends see it.
func (c connection) sides() (client, server ends) {
	return ends{c.original.source, c.original.target, c.original.protocol},
		ends{c.reply.source, c.reply.target, c.reply.protocol}
}

func (t *Tracker) add(c connection) {
	client, server := c.sides()
	for side, isClient := range map[ends]bool{client: true, server: false} {
		if _, known := t.known[side]; !known && len(t.known) >= t.options.Max {
			t.sweep()
		}
		if _, known := t.known[side]; !known && len(t.known) >= t.options.Max {
			t.counts.Full++
			continue
		}
		t.known[side] = &entry{connection: c, client: isClient}
	}
}

func (t *Tracker) end(c connection) {
	now := t.options.Clock()
	client, server := c.sides()
	for _, side := range []ends{client, server} {
		if e := t.known[side]; e != nil && e.connection == c {
			e.ended = now
		}
	}
}

// sweep forgets what ended long ago.
func (t *Tracker) sweep() {
	before := t.options.Clock().Add(-linger)
	for side, e := range t.known {
		if !e.ended.IsZero() && e.ended.Before(before) {
			delete(t.known, side)
		}
	}
}

// Resolve fills in what the program could not ask for: who began the flow,
// where packets did not tell, and the addresses behind a rewriting.
func (t *Tracker) Resolve(r *capture.Record) {
	t.mu.Lock()
	e := t.known[ends{netip.AddrPortFrom(r.Local, r.LocalPort), netip.AddrPortFrom(r.Remote, r.RemotePort), r.Protocol}]
	t.mu.Unlock()
	if e == nil {
		return
	}
	if r.Guessed || r.Initiator == capture.InitiatorUnknown {
		r.Guessed, r.Initiator = false, capture.InitiatorRemote
		if e.client {
			r.Initiator = capture.InitiatorLocal
		}
	}
	if e.original.target != e.reply.source {
		r.Dialled = e.original.target
		if e.client {
			r.Backend = e.reply.source
		}
	}
	if e.original.source != e.reply.target {
		r.SourceRewritten = true
		if !e.client {
			r.Source = e.original.source
		}
	}
}

// Sweep forgets what ended long ago. Call it now and then.
func (t *Tracker) Sweep() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.sweep()
}

// Counts gives the tracker's own counters.
func (t *Tracker) Counts() Counts {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.counts
}

// Known is how many flows are known, each connection from both ends.
func (t *Tracker) Known() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return len(t.known)
}

// Close ends the following.
func (t *Tracker) Close() error {
	err := t.file.Close()
	<-t.done
	return err
}
