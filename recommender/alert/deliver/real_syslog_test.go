// SPDX-License-Identifier: Apache-2.0

package deliver_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/netcinch/netcinch/deploy/unpack"
	"github.com/netcinch/netcinch/recommender/alert"
	"github.com/netcinch/netcinch/recommender/alert/deliver"
)

// certificate writes a certificate for 127.0.0.1 that is its own CA, and its
// key: cert.pem and key.pem.
func certificate(t *testing.T, dir string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign, DNSNames: []string{"localhost"},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	if err != nil {
		t.Fatal(err)
	}
	text, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	cert, key := filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	for path, block := range map[string]*pem.Block{cert: {Type: "CERTIFICATE", Bytes: der}, key: {Type: "PRIVATE KEY", Bytes: text}} {
		if err := os.WriteFile(path, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// rsyslog starts the real one; it writes what it takes to a file, field by field.
func rsyslog(t *testing.T, dir, input string) (address, out string) {
	t.Helper()
	program := unpack.Find(t, "rsyslogd")
	modules := append(unpack.Folders("usr/lib/*-linux-gnu/rsyslog"), "/usr/lib/x86_64-linux-gnu/rsyslog", "/usr/lib/aarch64-linux-gnu/rsyslog")
	address, out = freePort(t), filepath.Join(dir, "out")
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		t.Fatal(err)
	}
	config := fmt.Sprintf(`global(workDirectory="%s" maxMessageSize="16k")
%s
input(type="imtcp" port="%s" address="127.0.0.1")
template(name="fields" type="string" string="%%PRI%%~%%TIMESTAMP:::date-rfc3339%%~%%HOSTNAME%%~%%APP-NAME%%~%%MSGID%%~%%STRUCTURED-DATA%%~%%msg%%\n")
action(type="omfile" file="%s" template="fields")
`, dir, input, port, out)
	file := filepath.Join(dir, "rsyslog.conf")
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	run(t, program, "-n", "-f", file, "-i", filepath.Join(dir, "pid"), "-M", strings.Join(modules, ":"))
	eventually(t, "rsyslog listens", func() bool {
		conn, err := net.Dial("tcp", address)
		if err != nil {
			return false
		}
		return conn.Close() == nil
	})
	return address, out
}

// A real rsyslog takes what we send over TCP and over TLS, as it was meant.
func TestRealSyslog(t *testing.T) {
	for _, tt := range []struct{ name, input, sink string }{
		{"tcp", `module(load="imtcp")`, ""},
		{"tls", `global(DefaultNetstreamDriverCAFile="DIR/cert.pem" DefaultNetstreamDriverCertFile="DIR/cert.pem" DefaultNetstreamDriverKeyFile="DIR/key.pem")
module(load="imtcp" StreamDriver.Name="gtls" StreamDriver.Mode="1" StreamDriver.AuthMode="anon")`, ", tls: {ca: DIR/cert.pem, serverName: localhost}"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			certificate(t, dir)
			address, out := rsyslog(t, dir, strings.ReplaceAll(tt.input, "DIR", dir))
			w := real(t, "sinks: [{name: log, type: syslog, facility: auth, hostname: here, address: '"+address+"'"+strings.ReplaceAll(tt.sink, "DIR", dir)+"}]")
			var alerts []alert.Alert
			for i := range 150 { // more than one batch
				alerts = append(alerts, that(i, 1, alert.Firing))
			}
			alerts[0].Title = "quotes \" and ] and \\ and\na line's end, ünïcödé"
			alerts[0].Workloads = []string{`shop/"odd]name\`}
			alerts[1].Text = strings.Repeat("long ", 5000)
			w.notify(alerts...)
			w.notify(that(0, 2, alert.Resolved))
			eventually(t, "rsyslog has them all", func() bool { return strings.Count(read(t, out), "\n") >= 151 })
			lines := strings.Split(read(t, out), "\n")
			first := strings.Split(lines[0], "~")
			if len(first) != 7 {
				t.Fatalf("%q", lines[0])
			}
			at, err := time.Parse(time.RFC3339Nano, first[1])
			if first[0] != "33" || err != nil || !at.Equal(alerts[0].Changed.Truncate(time.Microsecond)) || first[2] != "here" || first[3] != "netcinch" || first[4] != "port-scan" {
				t.Errorf("header: %q, want priority 33 (auth.alert), %v, here, netcinch, port-scan", first[:5], alerts[0].Changed)
			}
			for _, want := range []string{`[netcinch@32473 id="0000000000000000" revision="1" kind="port-scan" severity="high" status="firing" cluster="prod" namespace="shop" workloads="shop/\"odd\]name\\"`, `url="https://netcinch.example.org/alerts/0000000000000000?cluster=prod"`} {
				if !strings.Contains(first[5], want) {
					t.Errorf("structured data: %s\nwant %s", first[5], want)
				}
			}
			if want := `[high] quotes " and ] and \ and | a line's end, ünïcödé: A text. | - Evidence.`; !strings.Contains(first[6], want) {
				t.Errorf("text: %q, want %q", first[6], want)
			}
			if !strings.Contains(lines[1], "long long") || len(lines[1]) > 8400 {
				t.Errorf("the long one has %d bytes", len(lines[1]))
			}
			if !strings.Contains(lines[150], `status="resolved"`) || !strings.HasPrefix(lines[150], "37~") {
				t.Errorf("the last one: %q, want priority 37 (auth.notice)", lines[150])
			}
			if s := w.sink("log"); s.Delivered != 151 || s.State != deliver.Up {
				t.Errorf("%+v", s)
			}
		})
	}
}

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	return string(text)
}
