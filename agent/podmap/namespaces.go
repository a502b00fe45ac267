// SPDX-License-Identifier: Apache-2.0

//go:build linux

package podmap

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netlink/nl"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"
)

func nativeUint32(b []byte) uint32 { return binary.NativeEndian.Uint32(b) }

// errNoNamespace says that no candidate has the id.
var errNoNamespace = errors.New("no network namespace with this id in the directories (--netns-dir) or under /proc")

// node asks the node's own namespace about links, ids and, by id, about the
// pods' namespaces.
type node struct {
	handle *netlink.Handle
	dirs   []string // where the container runtime keeps namespaces
	proc   string   // /proc
	target map[int]*nl.SocketHandle
}

func openNode(ns netns.NsHandle, dirs []string) (*node, error) {
	handle, err := netlink.NewHandleAt(ns, unix.NETLINK_ROUTE)
	if err != nil {
		return nil, fmt.Errorf("opening netlink in the node's network namespace: %w", err)
	}
	socket, err := nl.GetNetlinkSocketAt(ns, netns.None(), unix.NETLINK_ROUTE)
	if err != nil {
		handle.Close()
		return nil, fmt.Errorf("opening netlink in the node's network namespace: %w", err)
	}
	// Without strict checking the kernel ignores the target namespace of a dump
	// and lists the node's own addresses.
	if err := unix.SetsockoptInt(socket.GetFd(), unix.SOL_NETLINK, unix.NETLINK_GET_STRICT_CHK, 1); err != nil {
		handle.Close()
		socket.Close()
		return nil, fmt.Errorf("asking netlink for strict checking (kernel 4.20): %w", err)
	}
	return &node{handle, dirs, "/proc", map[int]*nl.SocketHandle{unix.NETLINK_ROUTE: {Socket: socket}}}, nil
}

func (n *node) close() {
	n.handle.Close()
	for _, s := range n.target {
		s.Close()
	}
}

// uplinks gives the indexes of the links that a default route goes out by: the
// way out of the node, which in a node that is itself a container is one side
// of a veth pair, too.
func (n *node) uplinks() (map[int]struct{}, error) {
	routes, err := n.handle.RouteList(nil, netlink.FAMILY_ALL)
	if err != nil {
		return nil, fmt.Errorf("listing the node's routes: %w", err)
	}
	found := make(map[int]struct{})
	for _, r := range routes {
		if r.Dst != nil {
			if ones, _ := r.Dst.Mask.Size(); ones != 0 {
				continue
			}
		}
		if r.Type != unix.RTN_UNICAST {
			continue
		}
		found[r.LinkIndex] = struct{}{}
		for _, hop := range r.MultiPath {
			found[hop.LinkIndex] = struct{}{}
		}
	}
	return found, nil
}

// find opens the network namespace that the node knows by an id.
func (n *node) find(nsid int) (*os.File, error) {
	for _, dir := range n.dirs {
		entries, err := os.ReadDir(dir)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("looking for network namespaces: %w", err)
		}
		for _, entry := range entries {
			if f := n.matching(filepath.Join(dir, entry.Name()), nsid); f != nil {
				return f, nil
			}
		}
	}
	return n.findByProcess(nsid)
}

// findByProcess looks at the namespaces that processes are in, each once.
func (n *node) findByProcess(nsid int) (*os.File, error) {
	entries, err := os.ReadDir(n.proc)
	if err != nil {
		return nil, fmt.Errorf("looking for network namespaces: %w", err)
	}
	seen := make(map[uint64]struct{})
	for _, entry := range entries {
		if _, err := strconv.Atoi(entry.Name()); err != nil {
			continue
		}
		path := filepath.Join(n.proc, entry.Name(), "ns", "net")
		var stat unix.Stat_t
		if unix.Stat(path, &stat) != nil {
			continue // has ended meanwhile, or is a kernel thread
		}
		if _, again := seen[stat.Ino]; again {
			continue
		}
		seen[stat.Ino] = struct{}{}
		if f := n.matching(path, nsid); f != nil {
			return f, nil
		}
	}
	return nil, errNoNamespace
}

// matching opens a candidate and gives it if it has the id.
func (n *node) matching(path string, nsid int) *os.File {
	var stat unix.Statfs_t
	if unix.Statfs(path, &stat) != nil || stat.Type != unix.NSFS_MAGIC {
		return nil // a name that no namespace is mounted on
	}
	f, err := os.Open(path)
	if err != nil {
		return nil // has ended meanwhile
	}
	if id, err := n.handle.GetNetNsIdByFd(int(f.Fd())); err == nil && id == nsid {
		return f
	}
	_ = f.Close() // only a handle
	return nil
}

// linkName gives the name of the other side of a link, in the namespace with the
// id. The namespace may have ended and its id be another's: the other side says
// whose it is.
func (n *node) linkName(l *link) (string, error) {
	req := nl.NewNetlinkRequest(unix.RTM_GETLINK, unix.NLM_F_ACK)
	req.Sockets = n.target
	msg := nl.NewIfInfomsg(unix.AF_UNSPEC)
	msg.Index = int32(l.peer)
	req.AddData(msg)
	req.AddData(nl.NewRtAttr(unix.IFLA_TARGET_NETNSID, nl.Uint32Attr(uint32(l.nsid))))
	replies, err := req.Execute(unix.NETLINK_ROUTE, unix.RTM_NEWLINK)
	if err != nil {
		return "", fmt.Errorf("asking for link %d of the network namespace with id %d: %w", l.peer, l.nsid, err)
	}
	for _, reply := range replies {
		other, err := netlink.LinkDeserialize(nil, reply)
		if err != nil {
			continue
		}
		if at := other.Attrs().ParentIndex; at != l.index {
			return "", fmt.Errorf("link %d of the network namespace with id %d is the other side of link %d", l.peer, l.nsid, at)
		}
		return other.Attrs().Name, nil
	}
	return "", fmt.Errorf("asking for link %d of the network namespace with id %d: no answer", l.peer, l.nsid)
}

// addresses lists the addresses of a link in the namespace with the id.
func (n *node) addresses(nsid, index int) ([]netip.Addr, error) {
	req := nl.NewNetlinkRequest(unix.RTM_GETADDR, unix.NLM_F_DUMP)
	req.Sockets = n.target
	msg := nl.NewIfAddrmsg(unix.AF_UNSPEC)
	msg.Index = uint32(index)
	req.AddData(msg)
	req.AddData(nl.NewRtAttr(unix.IFA_TARGET_NETNSID, nl.Uint32Attr(uint32(nsid))))
	replies, err := req.Execute(unix.NETLINK_ROUTE, unix.RTM_NEWADDR)
	if err != nil {
		return nil, fmt.Errorf("listing the addresses of the network namespace with id %d: %w", nsid, err)
	}
	var addresses []netip.Addr
	for _, reply := range replies {
		if at, a, ok := parseAddress(reply); ok && at == index {
			addresses = append(addresses, a)
		}
	}
	return addresses, nil
}

// parseAddress reads an RTM_NEWADDR message: the link's index and its address.
func parseAddress(m []byte) (index int, a netip.Addr, ok bool) {
	if len(m) < unix.SizeofIfAddrmsg {
		return 0, a, false
	}
	msg := nl.DeserializeIfAddrmsg(m)
	attrs, err := nl.ParseRouteAttr(m[msg.Len():])
	if err != nil {
		return 0, a, false
	}
	for _, attr := range attrs {
		// IFA_ADDRESS is the peer's on a point-to-point link, IFA_LOCAL our own;
		// IPv6 has only the former unless there is a peer.
		switch attr.Attr.Type {
		case unix.IFA_LOCAL:
			if local, good := netip.AddrFromSlice(attr.Value); good {
				return int(msg.Index), local, true
			}
		case unix.IFA_ADDRESS:
			a, ok = netip.AddrFromSlice(attr.Value)
		}
	}
	return int(msg.Index), a, ok
}
