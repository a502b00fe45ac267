// SPDX-License-Identifier: Apache-2.0

//go:build linux

package run

import (
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil/promlint"

	"github.com/netcinch/netcinch/agent/capture"
	"github.com/netcinch/netcinch/agent/export"
	"github.com/netcinch/netcinch/agent/feature"
	"github.com/netcinch/netcinch/agent/pagetest"
	"github.com/netcinch/netcinch/agent/podmap"
)

// agentOf makes an agent of an observer that has run, without sending.
func agentOf(t *testing.T, ob *Observer) *Agent {
	t.Helper()
	token := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(token, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	o := export.DefaultOptions()
	o.Cluster, o.Node, o.Server, o.TokenFile, o.SpoolDir = "shop", "n1", "https://127.0.0.1:1", token, t.TempDir()
	o.Clock, o.NewEpoch, o.Random, o.Logger = time.Now, func() string { return "epoch" }, func() float64 { return 0 }, ob.Logger
	exporter, err := export.New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := exporter.Close(); err != nil {
			t.Error(err)
		}
	})
	return &Agent{options: Options{Observer: ob.ObserverOptions, Export: o, Version: "v1"}, observer: ob, exporter: exporter}
}

func scrape(t *testing.T, a *Agent) string {
	t.Helper()
	w := httptest.NewRecorder()
	a.handler().ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/metrics", nil))
	text, err := io.ReadAll(w.Result().Body)
	if err != nil || w.Code != http.StatusOK {
		t.Fatalf("status %d, %v: %s", w.Code, err, text)
	}
	return string(text)
}

func logTo(w io.Writer) *slog.Logger { return slog.New(slog.NewTextHandler(w, nil)) }

// everything is a collector that loses of each kind.
func everything() *kernel {
	return &kernel{losses: capture.Losses{MapFull: 100, LostPackets: 7, Unparsed: 3, DNSLost: 2, DNSUnparsed: 1}}
}

func TestReport(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ob, _, _ := observe(t, everything(), 100*time.Second, nil)
		ob.registry.Attach(1, false)
		ob.registry.Address(1, netip.MustParseAddr("10.1.0.5"))
		ob.registry.SetPods([]podmap.Pod{{Namespace: "shop", Name: "cart", Addresses: []netip.Addr{netip.MustParseAddr("10.1.0.5")}}})
		r := agentOf(t, ob).Report()
		if !r.Agent || r.Node != "n1" || r.Cluster != "shop" || r.Version != "v1" || r.AttachMode != "pod-tcx" || r.Kernel == "" {
			t.Errorf("got %+v", r)
		}
		if r.At.Sub(r.Started) != 100*time.Second {
			t.Errorf("runs for %v, want 100 s", r.At.Sub(r.Started))
		}
		if len(r.Interfaces) != 1 || r.Interfaces[0].Mode != "pod-tcx" || len(r.Interfaces[0].Addresses) != 1 {
			t.Errorf("watches %+v", r.Interfaces)
		}
		counts := make(map[string]uint64)
		for _, l := range r.Losses {
			counts[l.Cause] = l.Count
		}
		for cause, want := range map[string]uint64{"map_full": 7, "unparsed": 3, "dns_ring_full": 2, "dns_unparsed": 1, "spool_overflow": 0, "detached": 0, "unattributed": 0} {
			if got, told := counts[cause]; !told || got != want {
				t.Errorf("lost %d for %s (told: %v), want %d", got, cause, told, want)
			}
		}
	})
}

// A drain every ten seconds gives one connection, packet and 60 bytes.
func TestRates(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ob, _, _ := observe(t, &kernel{}, 99*time.Second, nil)
		r := agentOf(t, ob).Report().Rates
		if r.Over < 30 || r.Over > 90 {
			t.Errorf("rates over %v s, want one to two windows", r.Over)
		}
		for name, ratio := range map[string]float64{
			"packets": r.Packets / r.Connections, "records": r.Records / r.Connections, "bytes": r.Bytes / r.Connections / 60,
		} {
			if ratio < 0.999 || ratio > 1.001 {
				t.Errorf("%v times as many %s as connections, want 1: %+v", ratio, name, r)
			}
		}
		if r.Connections < 0.09 || r.Connections > 0.13 {
			t.Errorf("%v connections a second, want 0.1", r.Connections)
		}
	})
}

func TestMetrics(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ob, _, _ := observe(t, everything(), 100*time.Second, nil)
		a := agentOf(t, ob)
		text := scrape(t, a)
		for _, want := range []string{
			`netcinch_agent_lost_total{cause="map_full",unit="packets"} 7`,
			`netcinch_agent_lost_total{cause="dns_ring_full",unit="answers"} 2`,
			`netcinch_agent_lost_total{cause="unparsed",unit="packets"} 3`,
			`netcinch_agent_lost_total{cause="unattributed",unit="edges"} 0`,
			`netcinch_agent_lost_total{cause="detached",unit="interfaces"} 0`,
			`netcinch_agent_lost_total{cause="spool_overflow",unit="batches"} 0`,
			`netcinch_agent_flow_map_overflow_packets_total 100`,
			`netcinch_agent_kernel_feature{feature="TCX"} 1`,
			`netcinch_agent_kernel_feature{feature="conntrack"} 0`,
			`netcinch_agent_attach_mode_info{mode="pod-tcx"} 1`,
		} {
			if !strings.Contains(text, want+"\n") {
				t.Errorf("/metrics has no %s", want)
			}
		}
		registry := prometheus.NewPedanticRegistry()
		registry.MustRegister(a)
		families, err := registry.Gather()
		if err != nil {
			t.Fatal(err)
		}
		problems, err := promlint.NewWithMetricFamilies(families).Lint()
		if err != nil || len(problems) > 0 {
			t.Errorf("the metrics are not as is usual: %v, %v", problems, err)
		}
	})
}

// TestMetricsPage holds docs/agent.md to the metrics and the losses.
func TestMetricsPage(t *testing.T) {
	const page = "../../docs/agent.md"
	var text strings.Builder
	text.WriteString("| metric | labels | type | what |\n| --- | --- | --- | --- |\n")
	synctest.Test(t, func(t *testing.T) {
		ob, _, _ := observe(t, &kernel{}, 40*time.Second, func(o *ObserverOptions) { o.Pods = failing{} })
		a := agentOf(t, ob)
		registry := prometheus.NewPedanticRegistry()
		registry.MustRegister(a)
		families, err := registry.Gather()
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range families {
			var labels []string
			for _, l := range f.GetMetric()[0].GetLabel() {
				labels = append(labels, "`"+l.GetName()+"`")
			}
			fmt.Fprintf(&text, "| `%s` | %s | %s | %s |\n", f.GetName(), strings.Join(labels, ", "), strings.ToLower(f.GetType().String()), f.GetHelp())
		}
	})
	pagetest.Hold(t, page, "metrics", text.String())
	text.Reset()
	text.WriteString("| cause | unit | what |\n| --- | --- | --- |\n")
	for _, l := range losses {
		fmt.Fprintf(&text, "| `%s` | %s | %s |\n", l.cause, l.unit, l.what)
	}
	pagetest.Hold(t, page, "losses", text.String())
}

type failing struct{ nobody }

func (failing) Failures() uint64 { return 1 }

func TestNothingToWatchIsTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const words = "no interface of a pod is there to watch"
		_, _, log := observe(t, &kernel{}, 45*time.Second, nil)
		if strings.Contains(log, words) {
			t.Errorf("told within a minute: %s", log)
		}
		_, _, log = observe(t, &kernel{}, 10*time.Minute, nil)
		if n := strings.Count(log, words); n != 1 {
			t.Errorf("told %d times, want once: %s", n, log)
		}
	})
}

func TestBlindness(t *testing.T) {
	var log strings.Builder
	synctest.Test(t, func(t *testing.T) {
		ob, _, _ := observe(t, &kernel{}, time.Second, nil)
		ob.Logger = logTo(&log)
		told := func() int { return strings.Count(log.String(), "no interface of a pod") }
		step := func(d time.Duration) {
			ob.start = time.Now()
			time.Sleep(d)
			ob.warnIfBlind(time.Now())
		}
		step(50 * time.Second)
		step(20 * time.Second)
		if told() != 1 {
			t.Fatalf("told %d times after 70 s, want once", told())
		}
		ob.registry.Attach(1, false)
		step(time.Hour)
		ob.registry.Detach(1)
		step(59 * time.Second)
		if told() != 1 {
			t.Errorf("told %d times while something was there, or before a minute", told())
		}
		step(time.Second)
		if told() != 2 {
			t.Errorf("told %d times, want again", told())
		}
	})
}

func TestFeaturesOfTheAgentAreInTheList(t *testing.T) {
	for _, name := range []string{featureAddressEvents, featureHostNetwork} {
		if _, ok := feature.Find(name); !ok {
			t.Errorf("%s is not in the list of features", name)
		}
	}
}

// TestProbe looks at this machine as 'netcinch-agent status' does.
func TestProbe(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root: CAP_BPF, CAP_NET_ADMIN, CAP_PERFMON and CAP_SYS_ADMIN")
	}
	o := ObserverOptions{Window: DefaultWindow, Capture: capture.DefaultOptions(), Clock: time.Now, Logger: logTo(io.Discard)}
	o.Capture.Probe.MaxFlows = 64
	r := Probe(o)
	if r.Agent || r.Problem != "" || r.AttachMode == "" || r.Kernel == "" {
		t.Errorf("got %+v", r)
	}
	if len(r.Features) < len(feature.All) || len(r.Programs) == 0 {
		t.Errorf("%d features and %d programs", len(r.Features), len(r.Programs))
	}
	o.Capture.Probe.MaxFlows = 0
	if r := Probe(o); !strings.Contains(r.Problem, "flow map's size is 0") || len(r.Features) != 0 {
		t.Errorf("got %+v, want the problem", r)
	}
}
