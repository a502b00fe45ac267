// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/big"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// load runs one measurement.
type load struct {
	options options
	fleet   fleet
	now     func() time.Time
	out     io.Writer
}

func (l *load) run(ctx context.Context) (err error) {
	if l.options.dir == "" {
		if l.options.dir, err = os.MkdirTemp("", "netcinch-load-"); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, os.RemoveAll(l.options.dir)) }()
	}
	token := rand.Text()
	if err = os.WriteFile(filepath.Join(l.options.dir, "agent.token"), []byte(token+"\n"), 0o600); err != nil {
		return err
	}
	pool, err := l.certificate()
	if err != nil {
		return err
	}
	under, err := l.start(ctx)
	if err != nil {
		return err
	}
	a := &agents{
		fleet: l.fleet, url: under.url, token: token, window: l.options.window, now: l.now, refused: map[string]int{},
		http: &http.Client{Timeout: time.Minute, Transport: &http.Transport{
			TLSClientConfig: &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS13}, MaxIdleConnsPerHost: l.options.nodes, MaxIdleConns: l.options.nodes,
		}},
	}
	cpu := cpuSeconds()
	took := l.options.duration
	if l.options.peak {
		took, err = a.peak(ctx, max(1, int(l.options.duration/l.options.window)), l.options.senders)
	} else {
		err = a.steady(ctx, l.options.duration)
	}
	own := cpuSeconds() - cpu
	m, ending := under.end()
	if err = errors.Join(err, ending); err != nil {
		return err
	}
	return l.report(a, m, took, own)
}

// certificate writes a pair for the loopback, and gives what trusts it.
func (l *load) certificate() (*x509.CertPool, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: l.now().Add(-time.Hour), NotAfter: l.now().Add(48 * time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, //nolint:forbidigo // crypto/x509 takes no netip
		IsCA:        true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, err
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, err
	}
	cert := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(cert)
	return pool, errors.Join(
		os.WriteFile(filepath.Join(l.options.dir, "cert.pem"), cert, 0o600),
		os.WriteFile(filepath.Join(l.options.dir, "key.pem"), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private}), 0o600))
}

// underTest is the process under test.
type underTest struct {
	cmd *exec.Cmd
	in  io.Closer
	out *bufio.Scanner
	url string
}

func (l *load) start(ctx context.Context) (*underTest, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	o := l.options
	args := []string{
		"-under-test", "-dir", o.dir, fmt.Sprintf("-nodes=%d", o.nodes), fmt.Sprintf("-history=%d", o.history),
		fmt.Sprintf("-queries=%v", o.queries), fmt.Sprintf("-ask-every=%v", o.askEvery), "-profile=" + o.profile,
	}
	u := &underTest{cmd: exec.CommandContext(context.WithoutCancel(ctx), self, args...)}
	u.cmd.Stderr = os.Stderr
	in, err := u.cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := u.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	u.in, u.out = in, bufio.NewScanner(out)
	u.out.Buffer(nil, 64<<20)
	if err := u.cmd.Start(); err != nil {
		return nil, err
	}
	if !u.out.Scan() {
		return nil, errors.Join(errors.New("the process under test did not start"), u.cmd.Wait())
	}
	u.url = u.out.Text()
	return u, nil
}

// end lets the process end, and reads what it measured.
func (u *underTest) end() (m measured, err error) {
	err = u.in.Close()
	if u.out.Scan() {
		err = errors.Join(err, json.Unmarshal(u.out.Bytes(), &m))
	}
	return m, errors.Join(err, u.out.Err(), u.cmd.Wait())
}

func (l *load) report(a *agents, m measured, took time.Duration, own float64) error {
	records := a.sent * podsPerNode * peersPerPod
	text := func(d time.Duration) string { return d.Round(100 * time.Microsecond).String() }
	w := &strings.Builder{}
	fmt.Fprintf(w, "fleet                  %d nodes, %d pods, %d peers a pod; %d days of history\n", l.fleet.nodes, l.fleet.pods(), peersPerPod, l.options.history)
	fmt.Fprintf(w, "sent                   %d batches, %d records in %v: %.0f records/s, %.1f bytes a record\n",
		a.sent, records, took.Round(time.Millisecond), float64(records)/took.Seconds(), float64(a.bytes)/float64(max(1, records)))
	fmt.Fprintf(w, "acknowledged after     p50 %s, p95 %s, p99 %s\n", text(quantile(a.latencies, 0.5)), text(quantile(a.latencies, 0.95)), text(quantile(a.latencies, 0.99)))
	fmt.Fprintf(w, "refused                %v\n", a.refused)
	fmt.Fprintf(w, "CPU under test         %.1f s in %.1f s: %.1f %% of one core, %.2f µs a record; the agents %.1f s\n",
		m.CPU, m.Wall, 100*m.CPU/m.Wall, 1e6*m.CPU/float64(max(1, records)), own)
	fmt.Fprintf(w, "memory under test      %.0f MiB at most\n", float64(m.PeakRSS)/(1<<20))
	fmt.Fprintf(w, "store                  %.0f MB, %d workload edges\n", float64(m.Disk)/1e6, m.Edges)
	for _, name := range slices.Sorted(maps.Keys(m.Queries)) {
		var all []time.Duration
		for _, us := range m.Queries[name] {
			all = append(all, time.Duration(us)*time.Microsecond)
		}
		fmt.Fprintf(w, "%-36s p50 %s, p95 %s of %d\n", name, text(quantile(all, 0.5)), text(quantile(all, 0.95)), len(all))
	}
	_, err := io.WriteString(l.out, w.String())
	return err
}
