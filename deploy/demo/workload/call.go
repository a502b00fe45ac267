// SPDX-License-Identifier: Apache-2.0

package workload

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"time"
)

// caller makes one call in its rhythm and reports each change of its luck.
type caller struct {
	call     Call
	resolver *net.Resolver
	out      *reporter
	dialer   net.Dialer
}

func newCaller(c Call, dns netip.AddrPort, out *reporter) *caller {
	var dialer net.Dialer
	return &caller{call: c, out: out, resolver: &net.Resolver{
		PreferGo: true,
		// Whatever the machine's resolv.conf says, the cluster's server is asked.
		Dial: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return dialer.DialContext(ctx, network, dns.String())
		},
	}}
}

func (c *caller) run(ctx context.Context) {
	tick := time.NewTicker(c.call.Period)
	defer tick.Stop()
	var last Report
	for {
		err := c.once(ctx)
		if ctx.Err() != nil {
			return
		}
		now := Report{Call: c.call.Text, OK: err == nil}
		if err != nil {
			now.Error = err.Error()
		}
		if last.Call == "" || now.OK != last.OK {
			c.out.write(now)
			last = now
		}
		if c.call.When == Once && err == nil {
			return
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// once resolves the name and asks each address that it stands for.
func (c *caller) once(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	addrs, err := c.lookup(ctx)
	if err != nil {
		return fmt.Errorf("resolving %s: %w", c.call.Host, err)
	}
	for _, a := range addrs {
		to := netip.AddrPortFrom(a.Unmap(), c.call.Port)
		if c.call.Scheme == "http" {
			err = errors.Join(err, c.askHTTP(ctx, to))
		} else {
			err = errors.Join(err, c.askTCP(ctx, to))
		}
	}
	return err
}

func (c *caller) lookup(ctx context.Context) ([]netip.Addr, error) {
	if a, err := netip.ParseAddr(c.call.Host); err == nil {
		return []netip.Addr{a}, nil
	}
	// The final dot keeps the machine's own search domains out of it.
	return c.resolver.LookupNetIP(ctx, c.call.network("ip"), strings.TrimSuffix(c.call.Host, ".")+".")
}

// askHTTP makes one request on a connection of its own.
func (c *caller) askHTTP(ctx context.Context, to netip.AddrPort) error {
	transport := &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return c.dialer.DialContext(ctx, c.call.network("tcp"), to.String())
		},
	}
	defer transport.CloseIdleConnections()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+c.call.host()+c.call.Path, http.NoBody)
	if err != nil {
		return fmt.Errorf("building request: %w", err)
	}
	response, err := transport.RoundTrip(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if _, err := io.Copy(io.Discard, io.LimitReader(response.Body, maxAnswer)); err != nil {
		return fmt.Errorf("reading answer: %w", err)
	}
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("asking %s: status %s", c.call.Text, response.Status)
	}
	return nil
}

// askTCP writes one line and reads one line back.
func (c *caller) askTCP(ctx context.Context, to netip.AddrPort) error {
	conn, err := c.dialer.DialContext(ctx, c.call.network("tcp"), to.String())
	if err != nil {
		return err
	}
	defer conn.Close()
	if deadline, ok := ctx.Deadline(); ok {
		if err := conn.SetDeadline(deadline); err != nil {
			return fmt.Errorf("bounding the call: %w", err)
		}
	}
	if _, err := fmt.Fprintf(conn, "get %s\n", c.call.Text); err != nil {
		return fmt.Errorf("writing request: %w", err)
	}
	if _, err := bufio.NewReader(io.LimitReader(conn, maxAnswer)).ReadString('\n'); err != nil {
		return fmt.Errorf("reading answer: %w", err)
	}
	return nil
}

// maxAnswer bounds what a client reads, in bytes.
const maxAnswer = 64 << 10
