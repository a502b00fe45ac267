// SPDX-License-Identifier: Apache-2.0

//go:build linux

package drops_test

import (
	"errors"
	"net/netip"

	"golang.org/x/sys/unix"
)

// halfOpen sends a SYN over IPv4 and does not wait.
func halfOpen(to netip.AddrPort) (fd int, err error) {
	fd, err = unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return -1, err
	}
	err = unix.Connect(fd, &unix.SockaddrInet4{Port: int(to.Port()), Addr: to.Addr().As4()})
	if errors.Is(err, unix.EINPROGRESS) {
		err = nil
	}
	return fd, err
}

func closeFD(fd int) { _ = unix.Close(fd) }
