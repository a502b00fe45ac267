// SPDX-License-Identifier: Apache-2.0

//go:build linux

package command

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/spf13/pflag"

	"github.com/netcinch/netcinch/agent/feature"
	"github.com/netcinch/netcinch/agent/pagetest"
	"github.com/netcinch/netcinch/agent/podmap/nodetest"
	"github.com/netcinch/netcinch/agent/status"
)

// TestFlagsPage holds docs/agent.md to the flags.
func TestFlagsPage(t *testing.T) {
	var text strings.Builder
	for _, c := range newRoot(Environment{}).Commands() {
		if !c.Flags().HasFlags() {
			continue
		}
		fmt.Fprintf(&text, "### netcinch-agent %s\n\n%s.\n\n| flag | default | what |\n| --- | --- | --- |\n", c.Name(), c.Short)
		c.Flags().VisitAll(func(f *pflag.Flag) {
			name, standard := "--"+f.Name, f.DefValue
			if f.Shorthand != "" {
				name = "-" + f.Shorthand + ", " + name
			}
			if standard != "" && standard != "[]" {
				standard = "`" + strings.Trim(standard, "[]") + "`"
			} else {
				standard = ""
			}
			fmt.Fprintf(&text, "| `%s` | %s | %s |\n", name, standard, strings.ReplaceAll(f.Usage, "|", "\\|"))
		})
		text.WriteString("\n")
	}
	pagetest.Hold(t, "../../docs/agent.md", "flags", text.String())
}

func TestStatusFlags(t *testing.T) {
	dir := t.TempDir()
	for want, args := range map[string][]string{
		`-o "xml": want table, json or yaml`: {"status", "-o", "xml"},
		"no agent answers at " + dir:         {"status", "--run-dir", dir, "--node", "n1"},
	} {
		if code, out, errs := execute(t, args...); code != ExitInput || out != "" || strings.Count(errs, "\n") != 1 || !strings.Contains(errs, want) {
			t.Errorf("status %d, %q, %q; want one line with %q", code, out, errs, want)
		}
	}
}

func TestStatusWithoutAnAgent(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root: CAP_BPF, CAP_NET_ADMIN, CAP_PERFMON and CAP_SYS_ADMIN to try what an agent loads")
	}
	code, out, errs := execute(t, "status", "--run-dir", t.TempDir())
	if code != ExitFine || errs != "" || !strings.HasPrefix(out, "no agent answers on this machine; this is what one would find here\n") {
		t.Errorf("status %d, %q: %s", code, errs, out)
	}
	for _, f := range feature.All {
		if !strings.Contains(out, "\n  "+f.Name+" ") {
			t.Errorf("does not tell of %s: %s", f.Name, out)
		}
	}
}

// TestStatusOfARunningAgent asks an agent that watches one pod.
func TestStatusOfARunningAgent(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root: CAP_SYS_ADMIN to make network namespaces, CAP_BPF, CAP_NET_ADMIN and CAP_PERFMON to watch them")
	}
	node := nodetest.New(t)
	node.AddPod("client", "10.78.0.2", "fd78::2")
	dir := t.TempDir()
	for name, text := range map[string]string{
		"pods/client.yaml": "apiVersion: v1\nkind: Pod\nmetadata: {namespace: shop, name: client, uid: u1}\nspec: {nodeName: n1}\nstatus: {phase: Running, podIPs: [{ip: 10.78.0.2}, {ip: 'fd78::2'}]}\n",
		"token":            "secret-token",
	} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	r := start(t, node, &exec.Cmd{
		Path: self, Env: append(os.Environ(), asAgent+"=1"),
		Args: []string{
			"netcinch-agent", "run", "--node", "n1", "--cluster", "blue", "--netns-dir", node.PodsDir, "--pods-dir", dir + "/pods", "--token-file", dir + "/token",
			"--spool-dir", dir + "/spool", "--run-dir", dir + "/run", "--pin-dir", "", "--metrics-listen", "", "--server", "https://127.0.0.1:1", "--stop-grace", "1ms", "--log-level", "debug",
		},
	})
	if !r.waitFor("interface watched") {
		t.Fatal(strings.Join(r.said, "\n"))
	}
	go func() { // the pipe must not fill
		for r.lines.Scan() {
		}
	}()
	var got status.Report
	for end := time.Now().Add(30 * time.Second); time.Now().Before(end) && got.Pods.Watched == 0; {
		code, out, errs := execute(t, "status", "--run-dir", dir+"/run", "-o", "json")
		if code != ExitFine || errs != "" {
			t.Fatalf("status %d, %q: %s", code, errs, out)
		}
		if err := json.Unmarshal([]byte(out), &got); err != nil {
			t.Fatal(err)
		}
	}
	if !got.Agent || got.Node != "n1" || got.Cluster != "blue" || got.AttachMode == "" || len(got.Programs) == 0 || got.Delivery == nil || len(got.Losses) == 0 {
		t.Errorf("got %+v", got)
	}
	pods := slices.DeleteFunc(slices.Clone(got.Interfaces), func(i status.Interface) bool { return i.Node != "" })
	if len(pods) != 1 || pods[0].Pod != "client" || pods[0].Namespace != "shop" || len(pods[0].Addresses) != 2 || pods[0].Mode != got.AttachMode {
		t.Errorf("watches %+v", got.Interfaces)
	}
	if code, out, _ := execute(t, "status", "--run-dir", dir+"/run"); code != ExitFine || !strings.Contains(out, "shop/client") || strings.Contains(out, "secret") {
		t.Errorf("status %d: %s", code, out)
	}
	if code, out, _ := execute(t, "status", "--run-dir", dir+"/run", "-o", "yaml"); code != ExitFine || !strings.Contains(out, "\nnode: n1\n") {
		t.Errorf("status %d: %s", code, out)
	}
	if err := r.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := r.cmd.Wait(); err != nil {
		t.Error(err)
	}
	if left, err := os.ReadDir(dir + "/run"); err != nil || len(left) != 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}
