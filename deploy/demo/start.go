// SPDX-License-Identifier: Apache-2.0

//go:build linux

package main

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"

	"github.com/netcinch/netcinch/deploy/demo/parts"
	"github.com/netcinch/netcinch/deploy/demo/world"
)

// The two programs that the demo shows.
const (
	recommenderName = "netcinch"
	agentName       = "netcinch-agent"
	clusterName     = "demo"
)

func (d *demo) binary(name string) string { return filepath.Join(d.options.binaries, name) }

func (d *demo) state(elements ...string) string {
	return filepath.Join(append([]string{d.claim.State}, elements...)...)
}

// free says which address a listener on the given one would have. What it
// finds is taken a moment later; nobody else is expected to ask in between.
func free(address string) (string, error) {
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return "", fmt.Errorf("listening on %s: %w", address, err)
	}
	defer listener.Close()
	return listener.Addr().String(), nil
}

// secret writes a new token to a file that only root reads.
func secret(path string) (string, error) {
	var b [24]byte
	if _, err := rand.Read(b[:]); err != nil {
		return "", fmt.Errorf("making a token: %w", err)
	}
	token := hex.EncodeToString(b[:])
	if err := os.WriteFile(path, []byte(token+"\n"), 0o600); err != nil {
		return "", fmt.Errorf("writing a token: %w", err)
	}
	return token, nil
}

func (d *demo) startRecommender(ctx context.Context) error {
	var err error
	if d.token, err = secret(d.state("token")); err != nil {
		return err
	}
	if _, err = secret(d.state("agent.token")); err != nil {
		return err
	}
	if d.ingest, err = free("127.0.0.1:0"); err != nil {
		return err
	}
	d.recommender, err = parts.Start("recommender", d.binary(recommenderName), d.claim.State,
		"serve",
		"-f", d.options.manifests, "-f", d.state(world.PodsFolder),
		"--data-dir", d.state("data"), "--cluster", clusterName,
		"--listen", d.page, "--token-file", d.state("token"),
		"--ingest-listen", d.ingest, "--agent-token-file", d.state("agent.token"),
		"--learning", d.options.learning.String())
	if err != nil {
		return err
	}
	return d.recommender.AwaitReady(ctx, "http://"+d.page+"/readyz")
}

func (d *demo) startAgent(ctx context.Context) error {
	var err error
	if d.metrics, err = free("127.0.0.1:0"); err != nil {
		return err
	}
	d.agent, err = parts.Start("agent", d.binary(agentName), d.claim.State,
		"run",
		"--node", d.plan.Node.Name, "--cluster", clusterName,
		"--netns", d.world.NodeNetns(), "--netns-dir", filepath.Dir(d.world.NodeNetns()),
		"--pods-dir", d.state(world.PodsFolder),
		"--server", "https://"+d.ingest, "--ca-file", d.state("data", "ca.pem"), "--token-file", d.state("agent.token"),
		"--spool-dir", d.state("spool"), "--pin-dir", "", "--window", d.options.window.String(),
		"--metrics-listen", d.metrics)
	if err != nil {
		return err
	}
	return d.agent.AwaitReady(ctx, "http://"+d.metrics+"/readyz")
}

// watched is the agent's count of pods whose interface it watches.
const watched = `netcinch_agent_pods{state="watched"}`

// awaitWatched waits until the agent watches every pod, as it would have in
// the time that a container takes to start.
func (d *demo) awaitWatched(ctx context.Context) error {
	want := 0
	for _, pod := range d.plan.Pods {
		if pod.Netns != "" {
			want++
		}
	}
	return d.agent.AwaitMetric(ctx, "http://"+d.metrics+"/metrics", watched, want)
}

// saveState copies logs, pods and flows to the folder that --keep names. Tokens
// and keys stay behind.
func (d *demo) saveState() error {
	if err := os.MkdirAll(d.options.keep, 0o755); err != nil {
		return fmt.Errorf("keeping the state: %w", err)
	}
	for _, name := range []string{"recommender.log", "agent.log", world.PodsFolder, "data/flows"} {
		if _, err := os.Stat(d.state(name)); errors.Is(err, fs.ErrNotExist) {
			continue // the demo ended before it came so far
		}
		if err := copyTree(d.state(name), filepath.Join(d.options.keep, name)); err != nil {
			return fmt.Errorf("keeping the state: %w", err)
		}
	}
	return nil
}

// copyTree copies a file, or a folder with all below it.
func copyTree(from, to string) error {
	return filepath.WalkDir(from, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		below, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		target := filepath.Join(to, below)
		if entry.IsDir() {
			return os.MkdirAll(target, 0o755)
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		return os.WriteFile(target, data, 0o600)
	})
}
