// SPDX-License-Identifier: Apache-2.0

package sink

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"net"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/netcinch/netcinch/recommender/alert"
	"github.com/netcinch/netcinch/recommender/alert/deliver/config"
	"github.com/netcinch/netcinch/recommender/analyze"
)

// grammar is RFC 5424's, section 6, for messages in UTF-8 with structured data.
var grammar = regexp.MustCompile(`(?s)^<(\d{1,3})>1 ` +
	`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z [!-~]{1,255} [!-~]{1,48} [!-~]{1,128} [!-~]{1,32} ` +
	`\[[!#-<>-\\^-~]{1,32}(?: [!#-<>-\\^-~]{1,32}="(?:[^"\\\]]|\\["\\\]])*")*\] ` + "\ufeff(.*)$")

func testSyslog(address string) *syslog {
	return newSyslog(&config.Syslog{
		Address: address, Timeout: 5 * time.Second, Facility: 16, Hostname: "here", AppName: "netcinch", DataID: config.DefaultDataID, Confirm: true,
	}, Texts{Page: "https://netcinch.example.org"}, Options{Now: time.Now})
}

// Whatever an alert says, what is sent is RFC 5424, one line, and of bounded
// size.
func FuzzSyslog(f *testing.F) {
	f.Add("a title", "a text\nof two lines", "shop/cart", "port-scan", "prod", uint8(0))
	f.Add("\x00\x1b[31m", "\xff\xfe", `a"]\`, "", "", uint8(1))
	f.Add(strings.Repeat("ä", 9000), strings.Repeat("x", 20000), strings.Repeat("]", 5000), "kind with blanks", "\r\n", uint8(2))
	f.Fuzz(func(t *testing.T, title, text, workload, kind, cluster string, severity uint8) {
		a := alert.Alert{
			ID: "0123456789abcdef", Kind: alert.Kind(kind), Title: title, Text: text, Workloads: []string{workload}, Cluster: cluster, Status: alert.Firing,
			Severity: []analyze.Severity{analyze.SeverityHigh, analyze.SeverityMedium, analyze.SeverityLow, analyze.SeverityInfo}[severity%4],
		}
		message, err := testSyslog("").format(&Message{Alert: a})
		if err != nil {
			t.Fatal(err)
		}
		m := grammar.FindSubmatch(message)
		if m == nil {
			t.Fatalf("not RFC 5424: %q", message)
		}
		if bytes.ContainsFunc(m[2], func(r rune) bool { return r < ' ' || r == 0x7f }) {
			t.Errorf("control characters: %q", m[2])
		}
		if pri, err := strconv.Atoi(string(m[1])); err != nil || pri/8 != 16 || len(message) > maxSyslog {
			t.Errorf("priority %s, %d bytes", m[1], len(message))
		}
	})
}

// frames reads octet-counted messages (RFC 6587, section 3.4.1).
func frames(r io.Reader) (all []string, err error) {
	b := bufio.NewReader(r)
	for {
		count, err := b.ReadString(' ')
		if errors.Is(err, io.EOF) && count == "" {
			return all, nil
		}
		if err != nil {
			return all, err
		}
		n, err := strconv.Atoi(strings.TrimSuffix(count, " "))
		if err != nil {
			return all, err
		}
		message := make([]byte, n)
		if _, err := io.ReadFull(b, message); err != nil {
			return all, err
		}
		all = append(all, string(message))
	}
}

func messages(titles ...string) (all []Message) {
	for _, title := range titles {
		all = append(all, Message{Alert: alert.Alert{ID: "0123456789abcdef", Kind: alert.PortScan, Title: title, Status: alert.Firing, Severity: "high"}})
	}
	return all
}

// A receiver whose kernel took the bytes, but that went away without reading
// them, has not got them; one that read to the end has.
func TestSyslogConfirms(t *testing.T) {
	for _, tt := range []struct {
		name  string
		serve func(net.Conn) ([]string, error)
		want  string // in the error; empty for none
	}{
		{"reads to the end", func(c net.Conn) ([]string, error) { return frames(c) }, ""},
		{"goes away without reading", func(c net.Conn) ([]string, error) { return nil, c.(*net.TCPConn).SetLinger(0) }, "waiting until it has read all"},
		{"goes away in the middle", func(c net.Conn) ([]string, error) {
			_, err := io.ReadFull(c, make([]byte, 20))
			return nil, errors.Join(err, c.(*net.TCPConn).SetLinger(0))
		}, "waiting until it has read all"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer l.Close()
			var got []string
			served := make(chan error, 1)
			go func() {
				c, failed := l.Accept()
				if failed == nil {
					got, failed = tt.serve(c)
					failed = errors.Join(failed, c.Close())
				}
				served <- failed
			}()
			err = testSyslog(l.Addr().String()).Send(t.Context(), messages("one", "two"))
			if serving := <-served; serving != nil {
				t.Fatal(serving)
			}
			if tt.want == "" {
				if err != nil || len(got) != 2 || !strings.Contains(got[1], "two") {
					t.Errorf("%q, %v", got, err)
				}
				return
			}
			if err == nil {
				t.Error("it counts as told")
			}
		})
	}
}

// A receiver that does not close is told for good only where the file says so.
func TestSyslogWithoutConfirmation(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	held := make(chan net.Conn, 2)
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				close(held)
				return
			}
			held <- c // open, and never read
		}
	}()
	s := testSyslog(l.Addr().String())
	s.config.Timeout = 100 * time.Millisecond
	if err := s.Send(t.Context(), messages("one")); err == nil || !strings.Contains(err.Error(), "did not finish within 100ms") {
		t.Errorf("%v", err)
	}
	s.config.Confirm = false
	if err := s.Send(t.Context(), messages("one")); err != nil {
		t.Error(err)
	}
	l.Close()
	for c := range held {
		c.Close()
	}
}
