// SPDX-License-Identifier: Apache-2.0

//go:build linux

package podmap

import (
	"errors"
	"fmt"
	"os"
	"runtime"

	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"
)

// receiveBuffer holds the notifications of a few thousand interfaces.
const receiveBuffer = 4 << 20

// socket receives rtnetlink's notifications about links and addresses of one
// network namespace, and of every namespace that it has an id for: with
// NETLINK_LISTEN_ALL_NSID one socket hears of all pods, without holding any of
// their namespaces open, which would keep them from ending.
type socket struct {
	file   *os.File
	allIDs bool // hears of the other namespaces, too
}

// notification is one datagram. nsid is the id of the namespace that it is
// about, -1 for the socket's own.
type notification struct {
	data []byte
	nsid int
}

// errOverrun says that notifications were lost: everything must be listed again.
var errOverrun = errors.New("notifications of the kernel were lost")

func openSocket(ns netns.NsHandle) (*socket, error) {
	var fd int
	err := inNamespace(ns, func() (err error) {
		fd, err = unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, unix.NETLINK_ROUTE)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("opening a netlink socket: %w", err)
	}
	s := &socket{}
	if err := s.configure(fd); err != nil {
		return nil, errors.Join(fmt.Errorf("listening to netlink: %w", err), unix.Close(fd))
	}
	s.file = os.NewFile(uintptr(fd), "netlink")
	return s, nil
}

func (s *socket) configure(fd int) error {
	if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, receiveBuffer); err != nil {
		_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF, receiveBuffer) // as much as is allowed
	}
	// Without CAP_NET_BROADCAST addresses are polled instead.
	s.allIDs = unix.SetsockoptInt(fd, unix.SOL_NETLINK, unix.NETLINK_LISTEN_ALL_NSID, 1) == nil
	if err := unix.Bind(fd, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return err
	}
	for _, group := range []int{unix.RTNLGRP_LINK, unix.RTNLGRP_IPV4_IFADDR, unix.RTNLGRP_IPV6_IFADDR, unix.RTNLGRP_NSID} {
		if err := unix.SetsockoptInt(fd, unix.SOL_NETLINK, unix.NETLINK_ADD_MEMBERSHIP, group); err != nil {
			return err
		}
	}
	return nil
}

// receive waits for a notification. The data is valid until the next call.
func (s *socket) receive(buffer, control []byte) (n notification, err error) {
	raw, err := s.file.SyscallConn()
	if err != nil {
		return n, err
	}
	var size, controlSize int
	var failure error
	err = raw.Read(func(fd uintptr) bool {
		size, controlSize, _, _, failure = unix.Recvmsg(int(fd), buffer, control, 0)
		return failure != unix.EAGAIN && failure != unix.EINTR
	})
	switch {
	case err != nil:
		return n, err
	case errors.Is(failure, unix.ENOBUFS):
		return n, errOverrun
	case failure != nil:
		return n, fmt.Errorf("reading from netlink: %w", failure)
	}
	return notification{buffer[:size], namespaceID(control[:controlSize])}, nil
}

// namespaceID reads the control message that tells of which namespace a
// notification is; there is none for the socket's own.
func namespaceID(control []byte) int {
	messages, err := unix.ParseSocketControlMessage(control)
	if err != nil {
		return -1
	}
	for _, m := range messages {
		if m.Header.Level == unix.SOL_NETLINK && m.Header.Type == unix.NETLINK_LISTEN_ALL_NSID && len(m.Data) >= 4 {
			return int(int32(nativeUint32(m.Data)))
		}
	}
	return -1
}

func (s *socket) close() error { return s.file.Close() }

// inNamespace runs f on a thread that is in the namespace. The thread ends
// where it cannot be brought back. Without a namespace it is the process's own.
func inNamespace(ns netns.NsHandle, f func() error) error {
	if !ns.IsOpen() {
		return f()
	}
	done := make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		own, err := netns.Get()
		if err != nil {
			done <- err
			return // the thread was not moved, but ends with its goroutine all the same
		}
		defer func() { _ = own.Close() }() // only a handle
		if err = netns.Set(ns); err != nil {
			done <- err
			return
		}
		err = f()
		if netns.Set(own) == nil {
			runtime.UnlockOSThread()
		}
		done <- err
	}()
	return <-done
}
