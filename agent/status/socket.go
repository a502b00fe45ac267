// SPDX-License-Identifier: Apache-2.0

//go:build linux

package status

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"golang.org/x/net/netutil"
	"golang.org/x/sys/unix"
)

// DefaultDir is where agents have their sockets.
const DefaultDir = "/run/netcinch-agent"

// The bounds of an exchange.
const (
	maxCallers = 4
	maxReport  = 16 << 20
	patience   = 5 * time.Second
	extension  = ".sock"
	longest    = 48 // of a node's name in a socket's: a socket's path has 107 bytes
)

// Path gives a node's socket in a directory.
func Path(dir, node string) string {
	name := strings.ReplaceAll(node, "/", "_")
	if len(name) > longest {
		name = fmt.Sprintf("%.*s-%x", longest-9, name, sha256.Sum256([]byte(node)))[:longest]
	}
	return filepath.Join(dir, name+extension)
}

// Listen makes a node's socket, in a directory for the agent's user alone. It
// takes the place of one that nobody answers on; where somebody does, it says
// that an agent of this node runs already.
func Listen(dir, node string) (net.Listener, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("making the directory of the status socket (--run-dir): %w", err)
	}
	path := Path(dir, node)
	if conn, err := net.DialTimeout("unix", path, patience); err == nil {
		_ = conn.Close() // only to see whether it is answered
		return nil, fmt.Errorf("an agent for node %s answers at %s already: stop it, or give this one another --run-dir or --node", node, path)
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("removing the status socket of an agent that is gone: %w", err)
	}
	l, err := net.Listen("unix", path)
	if err != nil {
		return nil, fmt.Errorf("making the status socket (--run-dir): %w", err)
	}
	if err := os.Chmod(path, 0o600); err != nil {
		return nil, errors.Join(fmt.Errorf("making the status socket (--run-dir): %w", err), l.Close())
	}
	return netutil.LimitListener(trusted{l}, maxCallers), nil
}

// trusted hands on the connections of root and of the agent's own user.
type trusted struct{ net.Listener }

func (t trusted) Accept() (net.Conn, error) {
	for {
		c, err := t.Listener.Accept()
		if err != nil || mayAsk(c) {
			return c, err
		}
		_ = c.Close() // of somebody who may not ask
	}
}

func mayAsk(c net.Conn) bool {
	s, ok := c.(syscall.Conn)
	if !ok {
		return false
	}
	raw, err := s.SyscallConn()
	if err != nil {
		return false
	}
	allowed := false
	err = raw.Control(func(fd uintptr) {
		peer, failed := unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED)
		allowed = failed == nil && (peer.Uid == 0 || int(peer.Uid) == os.Geteuid())
	})
	return err == nil && allowed
}

// NewServer answers with the report of the moment.
func NewServer(report func() Report) *http.Server {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /status", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(report()) // the caller may have left
	})
	return &http.Server{Handler: mux, ReadTimeout: patience, WriteTimeout: patience, IdleTimeout: patience, MaxHeaderBytes: 4096}
}

// ErrNoAgent says that no agent answers in the directory.
var ErrNoAgent = errors.New("no agent answers")

// Find gives the socket of a node's agent, or the only one where node is empty.
func Find(dir, node string) (string, error) {
	if node != "" {
		return Path(dir, node), nil
	}
	paths, err := filepath.Glob(filepath.Join(dir, "*"+extension))
	if err != nil {
		return "", fmt.Errorf("looking for agents in %s (--run-dir): %w", dir, err)
	}
	paths = slices.DeleteFunc(paths, func(p string) bool { return !answers(p) })
	switch len(paths) {
	case 0:
		return "", fmt.Errorf("%w in %s", ErrNoAgent, dir)
	case 1:
		return paths[0], nil
	}
	var names []string
	for _, p := range paths {
		names = append(names, strings.TrimSuffix(filepath.Base(p), extension))
	}
	return "", fmt.Errorf("several agents run on this machine: give --node, one of %s", strings.Join(names, ", "))
}

// answers says whether somebody listens, who may be of another user.
func answers(path string) bool {
	conn, err := net.DialTimeout("unix", path, patience)
	if err != nil {
		return errors.Is(err, fs.ErrPermission)
	}
	_ = conn.Close() // only to see whether it is answered
	return true
}

// Fetch asks an agent for its report.
func Fetch(ctx context.Context, path string) (r Report, err error) {
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", path)
	}
	client := http.Client{Transport: &http.Transport{DialContext: dial, DisableKeepAlives: true}, Timeout: patience}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://agent/status", nil)
	if err != nil {
		return r, fmt.Errorf("asking the agent at %s: %w", path, err)
	}
	response, err := client.Do(request)
	switch {
	case errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ECONNREFUSED):
		return r, fmt.Errorf("%w at %s", ErrNoAgent, path)
	case errors.Is(err, fs.ErrPermission):
		return r, fmt.Errorf("asking the agent at %s: only root may: try again with sudo", path)
	case err != nil:
		return r, fmt.Errorf("asking the agent at %s: it answers root and its own user only: %w", path, err)
	}
	defer func() { _ = response.Body.Close() }() // only read
	if err := json.NewDecoder(io.LimitReader(response.Body, maxReport)).Decode(&r); err != nil {
		return r, fmt.Errorf("reading the answer of the agent at %s: %w", path, err)
	}
	return r, nil
}
