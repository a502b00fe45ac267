// SPDX-License-Identifier: Apache-2.0

//go:build linux

package command

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"strings"
	"time"

	"github.com/spf13/pflag"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/netcinch/netcinch/agent/capture"
	"github.com/netcinch/netcinch/agent/podmap"
	"github.com/netcinch/netcinch/agent/privilege"
	"github.com/netcinch/netcinch/agent/probe"
	"github.com/netcinch/netcinch/agent/run"
)

// watchFlags say what to watch: the flags that run and record share.
type watchFlags struct {
	node       string
	netns      string
	netnsDirs  []string
	ignore     []string
	podsDir    string
	kubeconfig string
	window     time.Duration
	maxFlows   uint32
	attachMode string
	podsCgroup string
	logLevel   string
	logFormat  string
	netnsAsked func() bool // whether --netns-dir was given
}

func (f *watchFlags) register(flags *pflag.FlagSet, window time.Duration) {
	f.netnsAsked = func() bool { return flags.Changed("netns-dir") }
	flags.StringVar(&f.node, "node", "", "name of this node in the cluster (default: $NODE_NAME, else the host name)")
	flags.StringVar(&f.netns, "netns", "", "path of the node's network namespace (default: the agent's own)")
	flags.StringArrayVar(&f.netnsDirs, "netns-dir", []string{"/run/netns"}, "directory where the container runtime keeps the pods' network namespaces; repeatable")
	flags.StringArrayVar(&f.ignore, "ignore-link", nil, "pattern of host-side veth names that are not pods', such as 'docker*'; repeatable")
	flags.StringVar(&f.podsDir, "pods-dir", "", "directory of Pod and PodList files (YAML or JSON) to know the pods from; read again when they change")
	flags.StringVar(&f.kubeconfig, "kubeconfig", "", "kubeconfig of the API server to know the pods from (default: in-cluster)")
	flags.DurationVar(&f.window, "window", window, "length of the time buckets that traffic is counted in")
	flags.Uint32Var(&f.maxFlows, maxFlowsFlag, capture.DefaultOptions().Probe.MaxFlows, "connections of each address family that the kernel's map holds at once: "+maxFlowsRange)
	flags.StringVar(&f.attachMode, "attach-mode", "auto", "how interfaces are watched: pod-tcx (at the pod's side), host-tcx (at the host's side, without other namespaces; misses what a CNI redirects past it), clsact (filters, for kernels before 6.6), or auto for the first that works")
	flags.StringVar(&f.podsCgroup, "pods-cgroup", "", "control group of the pods, such as /sys/fs/cgroup/kubepods.slice, where a load balancer at the socket layer (Cilium's) stands in for kube-proxy: what pods dial is noted there (default: none)")
	flags.StringVar(&f.logLevel, "log-level", "info", "debug, info, warn or error")
	flags.StringVar(&f.logFormat, "log-format", "text", "text or json")
}

func (f *watchFlags) logger(e Environment) (*slog.Logger, error) {
	var level slog.Level
	if err := level.UnmarshalText([]byte(f.logLevel)); err != nil {
		return nil, fmt.Errorf("--log-level %q: want debug, info, warn or error", f.logLevel)
	}
	o := &slog.HandlerOptions{Level: level}
	switch f.logFormat {
	case "text":
		return slog.New(slog.NewTextHandler(e.Stderr, o)), nil
	case "json":
		return slog.New(slog.NewJSONHandler(e.Stderr, o)), nil
	}
	return nil, fmt.Errorf("--log-format %q: want text or json", f.logFormat)
}

func (f *watchFlags) nodeName(e Environment) (string, error) {
	if f.node != "" {
		return f.node, nil
	}
	if n := e.Getenv("NODE_NAME"); n != "" {
		return n, nil
	}
	n, err := e.Hostname()
	if err != nil {
		return "", fmt.Errorf("finding this node's name (give --node): %w", err)
	}
	return strings.ToLower(n), nil
}

// The kernel refuses maps whose buckets it cannot count, and sets aside memory
// for each flow at once: the most is some 4.5 GB for both families.
const (
	maxFlowsFlag  = "max-flows"
	maxFlowsMost  = 1 << 24
	maxFlowsRange = "a whole number from 1 to 16777216"
)

// checkNamespaces looks at the directories of network namespaces. /run/netns
// is made with the first namespace, so that it may be absent unless it was
// asked for.
func (f *watchFlags) checkNamespaces(asked bool) error {
	for _, dir := range f.netnsDirs {
		info, err := os.Stat(dir)
		switch {
		case errors.Is(err, fs.ErrNotExist) && !asked:
		case errors.Is(err, fs.ErrNotExist):
			return fmt.Errorf("--netns-dir %s does not exist: give the directory where the container runtime keeps network namespaces, such as /run/netns", dir)
		case err != nil:
			return fmt.Errorf("reading --netns-dir: %w", err)
		case !info.IsDir():
			return fmt.Errorf("--netns-dir %s is not a directory: give the one where the container runtime keeps network namespaces, such as /run/netns", dir)
		}
	}
	return nil
}

// observer gives the options; pods says whether a source of pods must be
// there.
func (f *watchFlags) observer(e Environment, node string, logger *slog.Logger, pods bool) (run.ObserverOptions, error) {
	o := run.ObserverOptions{
		Window: f.window, Netns: f.netns, NetnsDirs: f.netnsDirs, Ignore: f.ignore,
		Capture: capture.DefaultOptions(), Clock: e.Clock, Logger: logger,
	}
	if f.maxFlows < 1 || f.maxFlows > maxFlowsMost {
		return o, fmt.Errorf("--%s %d: want %s", maxFlowsFlag, f.maxFlows, maxFlowsRange)
	}
	if err := f.checkNamespaces(f.netnsAsked()); err != nil {
		return o, err
	}
	o.Capture.Probe.MaxFlows, o.Capture.Probe.NetnsDirs = f.maxFlows, f.netnsDirs
	o.PodsCgroup, o.Capture.Probe.Dialling = f.podsCgroup, f.podsCgroup != ""
	mode, err := probe.ParseMode(f.attachMode)
	if err != nil {
		return o, fmt.Errorf("--attach-mode: %w", err)
	}
	o.Capture.Probe.Mode = mode
	source, err := f.source(node, logger)
	if errors.Is(err, rest.ErrNotInCluster) {
		if pods {
			return o, errors.New("nothing says which pods run here: give --pods-dir, or --kubeconfig outside of a cluster")
		}
		return o, nil
	}
	o.Pods = source
	return o, err
}

func (f *watchFlags) source(node string, logger *slog.Logger) (podmap.Source, error) {
	if f.podsDir != "" && f.kubeconfig != "" {
		return nil, errors.New("--pods-dir and --kubeconfig both say where the pods are known from: give one")
	}
	if f.podsDir != "" {
		info, err := os.Stat(f.podsDir)
		if err != nil {
			return nil, fmt.Errorf("reading the pods (--pods-dir): %w", err)
		}
		if !info.IsDir() {
			return nil, fmt.Errorf("reading the pods (--pods-dir): %s is not a directory", f.podsDir)
		}
		return podmap.NewDirectory(f.podsDir, node, podmap.DefaultPoll, logger), nil
	}
	config, err := f.restConfig()
	if err != nil {
		return nil, err
	}
	return podmap.NewAPIServer(config, node, logger)
}

func (f *watchFlags) restConfig() (*rest.Config, error) {
	if f.kubeconfig == "" {
		return rest.InClusterConfig()
	}
	config, err := clientcmd.BuildConfigFromFlags("", f.kubeconfig)
	if err != nil {
		return nil, fmt.Errorf("reading --kubeconfig: %w", err)
	}
	return config, nil
}

// files are what says which pods there are, read all the time.
func (f *watchFlags) files() []privilege.File {
	files := []privilege.File{{Path: f.podsDir}, {Path: f.kubeconfig}}
	for _, dir := range f.netnsDirs {
		files = append(files, privilege.File{Path: dir})
	}
	return files
}
