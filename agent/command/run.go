// SPDX-License-Identifier: Apache-2.0

//go:build linux

package command

import (
	"crypto/rand"
	"fmt"
	mathrand "math/rand/v2"
	"net"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/netcinch/netcinch/agent/export"
	"github.com/netcinch/netcinch/agent/privilege"
	"github.com/netcinch/netcinch/agent/probe"
	"github.com/netcinch/netcinch/agent/run"
	"github.com/netcinch/netcinch/agent/status"
)

const runHelp = `Record the traffic of this node's pods and report it to the recommender until
interrupted.

Each pod's interface is watched from the moment it appears. What was counted goes
out once a window. A batch waits in the spool directory, over restarts, until the
recommender has stored it; a batch that is sent twice is stored once. What could not
be recorded or kept is counted by cause, in every batch and on /metrics.

SIGTERM or SIGINT: the last counts are read and sent, or kept in the spool.

Counting goes on in the kernel while no agent runs: a restart, an upgrade or SIGKILL
misses no packet, and nothing is reported twice. 'netcinch-agent cleanup' ends it.

Exit status: 0 fine, 2 a flag, a file or the node is not as it must be, 3 internal.`

const runExample = `  # In a cluster the DaemonSet does this; the pods come from the API server.
  netcinch-agent run --node "$NODE_NAME" --cluster shop \
      --server https://netcinch.netcinch.svc:8443 \
      --ca-file /etc/netcinch/ca.pem --token-file /var/run/secrets/netcinch/token

  # By hand on one machine: a recommender, then an agent that reports to it every
  # five seconds and knows the pods from a directory.
  netcinch serve -f manifests/ --data-dir data/
  netcinch-agent run --pods-dir pods/ --window 5s \
      --ca-file data/ca.pem --token-file data/agent.token --spool-dir spool/
  curl -s http://127.0.0.1:9090/metrics | grep netcinch_agent_lost_total`

// runFlags say where to report.
type runFlags struct {
	watchFlags
	cluster   string
	server    string
	caFile    string
	tokenFile string
	spoolDir  string
	spoolMax  int64
	metrics   string
	runDir    string
	stopGrace time.Duration
	pinDir    string
	pinAsked  func() bool // whether --pin-dir was given
	unpin     bool
}

func newRun(e Environment) *cobra.Command {
	var f runFlags
	c := &cobra.Command{
		Use:     "run",
		Short:   "Record this node's traffic and report it to the recommender",
		Long:    runHelp,
		Example: runExample,
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			o, err := f.options(e)
			if err != nil {
				return err
			}
			held, err := checkPrivileges(o.Observer.Logger, f.netns)
			if err != nil {
				return err
			}
			agent, err := run.New(o)
			if err != nil {
				return err
			}
			dropPrivileges(o.Observer.Logger, held, agent.Roams(), f.files())
			forgetStart()
			if err := agent.Run(c.Context()); err != nil {
				return internalError{err}
			}
			return nil
		},
	}
	flags := c.Flags()
	f.register(flags, run.DefaultWindow)
	flags.StringVar(&f.cluster, "cluster", "default", "name of the cluster")
	flags.StringVar(&f.server, "server", "https://127.0.0.1:8443", "the recommender's ingest address")
	flags.StringVar(&f.caFile, "ca-file", "", "PEM file of the CAs that the recommender's certificate is checked against (default: the system's)")
	flags.StringVar(&f.tokenFile, "token-file", "/var/run/secrets/netcinch/token", "file with the bearer token; read again for each batch")
	flags.StringVar(&f.spoolDir, "spool-dir", "/var/lib/netcinch-agent/spool", "directory where batches wait until the recommender has stored them")
	flags.Int64Var(&f.spoolMax, "spool-max-bytes", export.DefaultSpoolLimit, "size of the spool; beyond it the oldest batches are thrown away and counted")
	flags.StringVar(&f.metrics, "metrics-listen", ":9090", "address of /metrics, /healthz and /readyz, on every interface of the node by default so that Prometheus reaches it; 127.0.0.1:9090 for this node alone, empty for none")
	flags.StringVar(&f.runDir, "run-dir", status.DefaultDir, "directory of the socket that 'netcinch-agent status' asks, for this machine's root and the agent's user alone; empty for none")
	flags.DurationVar(&f.stopGrace, "stop-grace", run.DefaultStopGrace, "how long the end waits for the recommender to take what is in the spool")
	f.pinAsked = func() bool { return flags.Changed("pin-dir") }
	flags.StringVar(&f.pinDir, "pin-dir", probe.DefaultPinDir, "directory in a BPF file system where counting goes on while no agent runs; empty for none. 'netcinch-agent cleanup' takes it away")
	flags.BoolVar(&f.unpin, "unpin-on-exit", false, "leave nothing in --pin-dir when the agent ends in order: what passes until the next start is not seen")
	return c
}

func (f *runFlags) options(e Environment) (run.Options, error) {
	logger, err := f.logger(e)
	if err != nil {
		return run.Options{}, err
	}
	if err = checkListen(f.metrics); err != nil {
		return run.Options{}, err
	}
	node, err := f.nodeName(e)
	if err != nil {
		return run.Options{}, err
	}
	observer, err := f.observer(e, node, logger, true)
	if err != nil {
		return run.Options{}, err
	}
	observer.Capture.Probe.PinDir, observer.Capture.Probe.PinIfPossible = f.pinDir, !f.pinAsked()
	observer.UnpinOnExit = f.unpin
	boot, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return run.Options{}, fmt.Errorf("reading what tells this boot of the machine from others: %w", err)
	}
	o := export.DefaultOptions()
	o.Commits, o.BootID = true, strings.TrimSpace(string(boot))
	o.Cluster, o.Node = f.cluster, node
	o.Server, o.CAFile, o.TokenFile = f.server, f.caFile, f.tokenFile
	o.SpoolDir, o.SpoolLimit = f.spoolDir, f.spoolMax
	o.Clock, o.Logger, o.Random = e.Clock, logger, mathrand.Float64
	o.NewEpoch = func() string { return fmt.Sprintf("%.16s", rand.Text()) }
	return run.Options{
		Observer: observer, Export: o, MetricsListen: f.metrics, RunDir: f.runDir, StopGrace: f.stopGrace, Version: e.Version,
	}, nil
}

// files are what the agent uses all its life.
func (f *runFlags) files() []privilege.File {
	return append(f.watchFlags.files(),
		privilege.File{Path: f.tokenFile}, privilege.File{Path: f.caFile}, privilege.File{Path: f.spoolDir, Write: true})
}

// checkListen reads an address to listen on.
func checkListen(address string) error {
	if address == "" {
		return nil
	}
	wrong := func(what string) error {
		return fmt.Errorf("--metrics-listen %q: %s: give HOST:PORT such as 127.0.0.1:9090, :9090 for every interface of the node, or '' for none", address, what)
	}
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return wrong("it has no port")
	}
	if _, err := strconv.ParseUint(port, 10, 16); err != nil {
		return wrong(fmt.Sprintf("%q is no port from 0 to 65535", port))
	}
	if _, err := netip.ParseAddr(host); err != nil && host != "" && host != "localhost" {
		return wrong(fmt.Sprintf("%q is no IP address", host))
	}
	return nil
}
