// SPDX-License-Identifier: Apache-2.0

//go:build linux

package command

import (
	"bytes"
	"context"
	"errors"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// The test binary is also the agent, for tests that need another process.
const asAgent = "NETCINCH_TEST_AGENT"

func TestMain(m *testing.M) {
	if os.Getenv(asAgent) != "" {
		ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
		code := Execute(ctx, Environment{
			Stdout: os.Stdout, Stderr: os.Stderr, Getenv: os.Getenv, Hostname: os.Hostname, Clock: time.Now, Version: "test",
		}, os.Args[1:])
		stop()
		os.Exit(code)
	}
	os.Exit(m.Run())
}

// execute runs the command line in this process; it must fail before it
// watches anything.
func execute(t *testing.T, args ...string) (status int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	status = Execute(t.Context(), Environment{
		Stdout: &out, Stderr: &errs, Getenv: func(string) string { return "" },
		Hostname: func() (string, error) { return "", errors.New("no host name") }, Clock: time.Now, Version: "v1.2.3",
	}, args)
	return status, out.String(), errs.String()
}

func TestVersion(t *testing.T) {
	if status, out, _ := execute(t, "version"); status != ExitFine || out != "netcinch-agent v1.2.3\n" {
		t.Errorf("status %d, %q", status, out)
	}
}

// The help of each command ends in a worked example.
func TestHelpEndsInAnExample(t *testing.T) {
	for command, last := range map[string]string{"status": "jq -r '.features[] | select(.found | not) | .name'", "run": "curl -s http://127.0.0.1:9090/metrics", "record": "netcinch unused -f manifests/ --flows flows.jsonl"} {
		status, out, _ := execute(t, command, "--help")
		lines := strings.Split(strings.TrimSpace(out), "\n")
		if status != ExitFine || !strings.Contains(lines[len(lines)-1], last) {
			t.Errorf("%s --help, status %d, ends in %q, want %q", command, status, lines[len(lines)-1], last)
		}
	}
}

func TestBadInputIsOneLineAndStatus2(t *testing.T) {
	dir := t.TempDir()
	token := filepath.Join(dir, "token")
	for _, f := range []string{token, filepath.Join(dir, "file")} {
		if err := os.WriteFile(f, []byte("secret-token\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(filepath.Join(dir, "pods"), 0o700); err != nil {
		t.Fatal(err)
	}
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	run := func(args ...string) []string {
		return append([]string{"run", "--node", "n", "--pods-dir", dir + "/pods", "--token-file", token, "--spool-dir", t.TempDir(), "--metrics-listen", ""}, args...)
	}
	for want, args := range map[string][]string{
		`unknown command "frob"`: {"frob"},
		"unknown flag: --frob; 'netcinch-agent run --help' lists the flags":                      {"run", "--frob"},
		`--window "soon": want a duration such as 30s, 5m or 1h; `:                               {"run", "--window", "soon"},
		`--max-flows "many": want a whole number from 1 to 16777216; `:                           {"run", "--max-flows", "many"},
		`--spool-max-bytes "many": want a whole number; `:                                        {"run", "--spool-max-bytes", "many"},
		`--max-flows "99999999999": want a whole number from 1 to 16777216; `:                    {"record", "--max-flows", "99999999999"},
		`--max-flows 4294967295: want a whole number from 1 to 16777216`:                         {"record", "--node", "n", "--max-flows", "4294967295"},
		`--max-flows 0: want a whole number from 1 to 16777216`:                                  {"record", "--node", "n", "--max-flows", "0"},
		"--netns-dir " + dir + "/none does not exist: give the directory":                        {"record", "--node", "n", "--netns-dir", dir + "/none"},
		"--netns-dir " + dir + "/file is not a directory: give the one":                          run("--netns-dir", dir+"/file"),
		`unknown command "x" for "netcinch-agent run"`:                                           {"run", "x"},
		"give --pods-dir, or --kubeconfig outside of a cluster":                                  {"run", "--node", "n"},
		"finding this node's name (give --node): no host name":                                   {"run", "--pods-dir", dir},
		"--pods-dir and --kubeconfig both say":                                                   run("--kubeconfig", "x"),
		"reading the pods (--pods-dir): stat " + dir + "/none":                                   run("--pods-dir", dir+"/none"),
		dir + "/file is not a directory":                                                         run("--pods-dir", dir+"/file"),
		"reading --kubeconfig: stat " + dir + "/none":                                            run("--pods-dir", "", "--kubeconfig", dir+"/none"),
		`--log-level "loud": want debug, info, warn or error`:                                    run("--log-level", "loud"),
		`--log-format "xml": want text or json`:                                                  run("--log-format", "xml"),
		`(--server) is "http://x"`:                                                               run("--server", "http://x"),
		"(--token-file): open " + dir + "/none":                                                  run("--token-file", dir+"/none"),
		dir + "/file holds no PEM certificate":                                                   run("--ca-file", dir+"/file"),
		"listening for metrics (--metrics-listen): listen tcp":                                   run("--metrics-listen", taken.Addr().String()),
		"the window (--window) is 10ms: want 1s to 1h0m0s":                                       run("--window", "10ms"),
		"--for -1s: want a positive duration":                                                    {"record", "--node", "n", "--for", "-1s"},
		`--metrics-listen "banana": it has no port: give HOST:PORT such as 127.0.0.1:9090, `:     run("--metrics-listen", "banana"),
		`--metrics-listen "banana:9090": "banana" is no IP address: give HOST:PORT such as `:     run("--metrics-listen", "banana:9090"),
		`--metrics-listen ":99999": "99999" is no port from 0 to 65535: give HOST:PORT such as `: run("--metrics-listen", ":99999"),
		"making the flow file " + dir + " (-o): it is a directory: give a file name":             {"record", "--node", "n", "-o", dir},
		"making the flow file /dev/null (-o): it is no regular file: give another name":          {"record", "--node", "n", "-o", "/dev/null"},
		"making the flow file " + dir + "/none/x (-o)":                                           {"record", "--node", "n", "-o", dir + "/none/x"},
	} {
		t.Run(want, func(t *testing.T) {
			status, out, errs := execute(t, args...)
			if status != ExitInput || out != "" || strings.Count(errs, "\n") != 1 || !strings.Contains(errs, want) {
				t.Errorf("status %d, stdout %q, stderr %q; want status 2 and one line with %q", status, out, errs, want)
			}
			if strings.Contains(errs, "secret-token") {
				t.Errorf("the token is told: %s", errs)
			}
		})
	}
}

func TestNodeNameComesFromTheEnvironment(t *testing.T) {
	f := watchFlags{}
	e := Environment{Getenv: func(string) string { return "n7" }}
	if n, err := f.nodeName(e); n != "n7" || err != nil {
		t.Errorf("got %q, %v", n, err)
	}
	e = Environment{Getenv: func(string) string { return "" }, Hostname: func() (string, error) { return "Host", nil }}
	if n, err := f.nodeName(e); n != "host" || err != nil {
		t.Errorf("got %q, %v; node names are lower case", n, err)
	}
}

func TestWithoutCapabilities(t *testing.T) {
	setpriv, err := exec.LookPath("setpriv")
	if err != nil || os.Geteuid() != 0 {
		t.Skip("needs root and setpriv (util-linux) to give capabilities away")
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	old := filepath.Join(t.TempDir(), "flows.jsonl")
	if err := os.WriteFile(old, []byte("kept\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	c := exec.Command(setpriv, "--bounding-set=-all", "--inh-caps=-all", self, "record", "--node", "n", "-o", old)
	c.Env = append(os.Environ(), asAgent+"=1")
	var errs bytes.Buffer
	c.Stderr = &errs
	var exit *exec.ExitError
	if err := c.Run(); !errors.As(err, &exit) || exit.ExitCode() != ExitInput {
		t.Errorf("ended with %v, want status 2", err)
	}
	if s := errs.String(); strings.Count(s, "\n") != 1 || !strings.Contains(s, "CAP_BPF") || strings.Contains(s, "assign values") {
		t.Errorf("said %q, want one line with the capability", s)
	}
	if text, err := os.ReadFile(old); err != nil || string(text) != "kept\n" {
		t.Errorf("the file that was there is now %q, %v", text, err)
	}
	if left, _ := filepath.Glob(old + ".*"); len(left) != 0 {
		t.Errorf("left behind: %v", left)
	}
}
