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
	"strconv"
	"strings"
	"time"
)

// servers are the open listeners of one process. failed gets the first error
// that ends one of them.
type servers struct {
	closers []io.Closer
	failed  chan error
}

func (s *servers) close() {
	for _, c := range s.closers {
		_ = c.Close() // the process ends; an error here changes nothing
	}
}

// run serves until the listener is closed; only the first failure is kept.
func (s *servers) run(serve func() error) {
	go func() {
		if err := serve(); err != nil && !errors.Is(err, net.ErrClosed) && !errors.Is(err, http.ErrServerClosed) {
			select {
			case s.failed <- err:
			default:
			}
		}
	}()
}

// listen opens every port on every address, IPv4 and IPv6.
func listen(ctx context.Context, ports []Port, o Options) (*servers, error) {
	s := &servers{failed: make(chan error, 1)}
	var config net.ListenConfig
	for _, p := range ports {
		address := ":" + strconv.Itoa(int(p.Number))
		listener, err := config.Listen(ctx, "tcp", address)
		if err != nil {
			s.close()
			return nil, fmt.Errorf("serving %s on port %d: %w", p.Scheme, p.Number, err)
		}
		s.closers = append(s.closers, listener)
		switch p.Scheme {
		case "http":
			s.run(func() error { return serveHTTP(listener, o.Name) })
		case "tcp":
			s.run(func() error { return accept(listener, answerLine) })
		case "dns":
			packets, err := config.ListenPacket(ctx, "udp", address)
			if err != nil {
				s.close()
				return nil, fmt.Errorf("serving %s on port %d: %w", p.Scheme, p.Number, err)
			}
			s.closers = append(s.closers, packets)
			zone, err := LoadZone(o.Zone)
			if err != nil {
				s.close()
				return nil, err
			}
			s.run(func() error { return zone.servePackets(packets) })
			s.run(func() error { return accept(listener, zone.serveStream) })
		}
	}
	return s, nil
}

func serveHTTP(listener net.Listener, name string) error {
	body := fmt.Sprintf("{\"from\":%q,\"items\":%q}\n", name, strings.Repeat("x", 400))
	server := &http.Server{
		ReadHeaderTimeout: callTimeout,
		Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			_, _ = io.WriteString(w, body) // a client that left is its own business
		}),
	}
	return server.Serve(listener)
}

// maxOpen bounds the connections that one TCP or DNS listener holds.
const maxOpen = 64

// accept hands each connection to handle, which ends within callTimeout.
func accept(listener net.Listener, handle func(net.Conn)) error {
	slots := make(chan struct{}, maxOpen)
	for {
		conn, err := listener.Accept()
		if err != nil {
			return err
		}
		slots <- struct{}{}
		go func() {
			defer func() { _ = conn.Close(); <-slots }()
			if conn.SetDeadline(deadline(callTimeout)) == nil {
				handle(conn)
			}
		}()
	}
}

// deadline is a moment of the machine's clock, which is what sockets take.
func deadline(d time.Duration) time.Time {
	return time.Now().Add(d) //nolint:forbidigo // a socket deadline is wall time
}

// answerLine reads a line and answers with one; a database's worth of talk.
func answerLine(conn net.Conn) {
	if _, err := bufio.NewReader(io.LimitReader(conn, maxAnswer)).ReadString('\n'); err == nil {
		_, _ = io.WriteString(conn, strings.Repeat("row ", 64)+"\n")
	}
}
