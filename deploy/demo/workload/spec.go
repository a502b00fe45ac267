// SPDX-License-Identifier: Apache-2.0

package workload

import (
	"fmt"
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Spec is what one container serves and calls.
type Spec struct {
	Serve []Port
	Calls []Call
	Live  time.Duration // how long it runs; 0 = until told to end
}

// Port is one listener. Scheme is http, tcp, or dns (UDP and TCP).
type Port struct {
	Scheme string
	Number uint16
}

// When says what starts a call.
type When uint8

// The occasions of a call.
const (
	Every    When = iota // again and again, Period apart
	Once                 // at the start, until it has worked once
	WhenTold             // every 5 s, from the moment that the parent says so
)

// Call is one request to others. It goes to each address that Host stands
// for, as a scraper does with a headless service.
type Call struct {
	When   When
	Period time.Duration
	Scheme string // http or tcp
	Six    bool   // over IPv6
	Host   string
	Port   uint16
	Path   string
	Text   string // the address as written in the manifest
}

// toldPeriod and the bounds of a period keep the demo's traffic modest.
const (
	toldPeriod = 5 * time.Second
	minPeriod  = 200 * time.Millisecond
	maxPeriod  = time.Hour
)

// Parse reads a container's args: --serve=SCHEME/PORT, --call="WHEN URL" with
// WHEN "every DURATION", "once" or "when-told", and --live=DURATION.
func Parse(args []string) (Spec, error) {
	var spec Spec
	for _, arg := range args {
		key, value, _ := strings.Cut(arg, "=")
		var err error
		switch key {
		case "--serve":
			var p Port
			p, err = parsePort(value)
			spec.Serve = append(spec.Serve, p)
		case "--call":
			var c Call
			c, err = parseCall(value)
			spec.Calls = append(spec.Calls, c)
		case "--live":
			spec.Live, err = parsePeriod(value)
		default:
			err = fmt.Errorf("want --serve, --call or --live")
		}
		if err != nil {
			return Spec{}, fmt.Errorf("reading container arg %q: %w", arg, err)
		}
	}
	return spec, nil
}

func parsePort(s string) (Port, error) {
	scheme, number, _ := strings.Cut(s, "/")
	if !slices.Contains([]string{"http", "tcp", "dns"}, scheme) {
		return Port{}, fmt.Errorf("scheme %q: want http, tcp or dns", scheme)
	}
	n, err := parseNumber(number)
	return Port{Scheme: scheme, Number: n}, err
}

func parseNumber(s string) (uint16, error) {
	n, err := strconv.ParseUint(s, 10, 16)
	if err != nil || n == 0 {
		return 0, fmt.Errorf("port %q: want a number from 1 to 65535", s)
	}
	return uint16(n), nil
}

func parsePeriod(s string) (time.Duration, error) {
	d, err := time.ParseDuration(s)
	if err != nil || d < minPeriod || d > maxPeriod {
		return 0, fmt.Errorf("duration %q: want one from %s to %s", s, minPeriod, maxPeriod)
	}
	return d, nil
}

func parseCall(s string) (Call, error) {
	words := strings.Fields(s)
	var c Call
	switch {
	case len(words) == 3 && words[0] == "every":
		period, err := parsePeriod(words[1])
		if err != nil {
			return Call{}, err
		}
		c.When, c.Period = Every, period
	case len(words) == 2 && words[0] == "once":
		c.When, c.Period = Once, minPeriod
	case len(words) == 2 && words[0] == "when-told":
		c.When, c.Period = WhenTold, toldPeriod
	default:
		return Call{}, fmt.Errorf("want \"every DURATION URL\", \"once URL\" or \"when-told URL\"")
	}
	return c, c.aim(words[len(words)-1])
}

// aim reads the address of a call; http defaults to port 80.
func (c *Call) aim(address string) error {
	u, err := url.Parse(address)
	if err != nil {
		return fmt.Errorf("parsing address: %w", err)
	}
	c.Scheme, c.Six = strings.CutSuffix(u.Scheme, "6")
	if c.Scheme != "http" && c.Scheme != "tcp" {
		return fmt.Errorf("scheme %q: want http, http6, tcp or tcp6", u.Scheme)
	}
	if u.Hostname() == "" {
		return fmt.Errorf("address %q: want a host name or address", address)
	}
	c.Host, c.Path, c.Text, c.Port = u.Hostname(), u.Path, address, 80
	if u.Port() == "" && c.Scheme == "http" {
		return nil
	}
	c.Port, err = parseNumber(u.Port())
	return err
}

// network is the name that package net has for the call's address family.
func (c *Call) network(kind string) string {
	if c.Six {
		return kind + "6"
	}
	return kind + "4"
}

// host gives Host as an HTTP request names it.
func (c *Call) host() string { return net.JoinHostPort(c.Host, strconv.Itoa(int(c.Port))) }
