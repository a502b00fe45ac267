// SPDX-License-Identifier: Apache-2.0

//go:build linux

package e2e

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"sync"

	"github.com/netcinch/netcinch/agent/podmap/nodetest"
	"github.com/netcinch/netcinch/recommender/flow"
)

// What a TCP connection costs beside its payload, with the timestamps that
// Linux sends: each packet an IP header of 20 (IPv6: 40) and a TCP header of 32
// bytes, and both SYNs 8 more for their options.
const (
	tcpHeader   = 32
	synOptions  = 8
	udpHeader   = 8
	ipv4Header  = 20
	ipv6Header  = 40
	requestSize = 1000
	response    = 30_000 // bytes of an answer: several packets
)

func ipHeader(a netip.Addr) uint64 {
	if a.Is4() {
		return ipv4Header
	}
	return ipv6Header
}

// serve answers each connection to port 8080 over both families: it reads a
// request and sends a response.
func serve(p *nodetest.Pod) {
	for _, a := range p.Addresses {
		serveAt(p, netip.AddrPortFrom(a, 8080))
	}
}

func serveAt(p *nodetest.Pod, address netip.AddrPort) {
	l := p.Listen(address.String())
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return // the test has ended
			}
			go func() {
				defer c.Close()
				if _, err := io.ReadFull(c, make([]byte, requestSize)); err == nil {
					_, _ = c.Write(make([]byte, response)) // the client checks
				}
				_, _ = io.Copy(io.Discard, c) // until the client has closed: no reset
			}()
		}
	}()
}

// request makes one connection and waits until both sides have closed it.
func request(p *nodetest.Pod, address netip.AddrPort) error {
	c, err := p.Dial("tcp", address.String())
	if err != nil {
		return err
	}
	defer c.Close()
	if _, err := c.Write(make([]byte, requestSize)); err != nil {
		return err
	}
	if _, err := io.ReadFull(c, make([]byte, response)); err != nil {
		return err
	}
	tcp, ok := c.(*net.TCPConn)
	if !ok {
		return errors.New("not a TCP connection")
	}
	if err := tcp.CloseWrite(); err != nil {
		return err
	}
	if n, err := c.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
		return fmt.Errorf("%d bytes and %w after the response", n, err)
	}
	return nil
}

// datagrams sends n datagrams of a size and gets each one back.
func datagrams(from, to *nodetest.Pod, address netip.AddrPort, n, size int) error {
	echo := to.ListenPacket(address.String())
	var echoing sync.WaitGroup
	defer echoing.Wait()
	defer echo.Close()
	echoing.Go(func() {
		buffer := make([]byte, 2000)
		for {
			got, peer, err := echo.ReadFrom(buffer)
			if err != nil {
				return // closed
			}
			_, _ = echo.WriteTo(buffer[:got], peer) // the sender waits for it
		}
	})
	c, err := from.Dial("udp", address.String())
	if err != nil {
		return err
	}
	defer c.Close()
	buffer := make([]byte, size)
	for range n {
		if _, err := c.Write(buffer); err != nil {
			return err
		}
		if _, err := io.ReadFull(c, buffer); err != nil {
			return err
		}
	}
	return nil
}

// payload takes the headers out of a TCP edge's bytes: what is left is what
// programs wrote. It is exact where nothing was sent twice.
func payload(c flow.Counters, address netip.Addr) (sent, received uint64) {
	header := ipHeader(address) + tcpHeader
	return c.BytesSent - header*c.PacketsSent - synOptions*c.Connections,
		c.BytesReceived - header*c.PacketsReceived - synOptions*c.Connections
}
