// SPDX-License-Identifier: Apache-2.0

package sink

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/netcinch/netcinch/recommender/alert/deliver/config"
	"github.com/netcinch/netcinch/recommender/analyze"
)

// maxSyslog is how long a message is at most, in bytes. RFC 5425 wants
// receivers to take 2048, and says that they should take 8192.
const maxSyslog = 8192

// syslog speaks RFC 5424 over TCP, or TLS (RFC 5425), with octet counting (RFC
// 6587). TCP alone does not say what the receiver has read; so each batch has a
// connection of its own, which is closed on our side when all is written. Only
// when the receiver closes it, too, which it does once it has read to the end,
// has it arrived.
type syslog struct {
	config *config.Syslog
	texts  Texts
	now    Clock
	dialer net.Dialer
	pid    string
}

func newSyslog(c *config.Syslog, t Texts, o Options) *syslog {
	return &syslog{config: c, texts: t, now: o.Now, dialer: net.Dialer{Timeout: c.Timeout}, pid: strconv.Itoa(os.Getpid())}
}

func (*syslog) Batch() int { return 64 }

func (s *syslog) Send(ctx context.Context, messages []Message) error {
	var all []byte
	for i := range messages {
		text, err := s.format(&messages[i])
		if err != nil {
			return err
		}
		all = append(strconv.AppendInt(all, int64(len(text)), 10), ' ')
		all = append(all, text...)
	}
	ctx, cancel := context.WithTimeout(ctx, s.config.Timeout)
	defer cancel()
	conn, err := s.connect(ctx)
	if err != nil {
		return err
	}
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() }) // ends what is read or written
	defer stop()
	if err = s.deliver(conn, all); err == nil {
		return quietClose(conn)
	}
	_ = conn.Close() // it failed already, for a reason that says more
	if ctx.Err() != nil {
		err = fmt.Errorf("it did not finish within %v", s.config.Timeout)
	}
	return fmt.Errorf("%s: %w", s.config.Target(), err)
}

func (s *syslog) connect(ctx context.Context) (net.Conn, error) {
	conn, err := s.dialer.DialContext(ctx, "tcp", s.config.Address)
	if err != nil {
		return nil, fmt.Errorf("%s cannot be reached: %w", s.config.Target(), err)
	}
	if s.config.TLS == nil {
		return conn, nil
	}
	secure, err := shake(ctx, conn, s.config.TLS, s.config.TLS.ServerName)
	if err != nil {
		return nil, fmt.Errorf("%s: agreeing on TLS: %w", s.config.Target(), err)
	}
	return secure, nil
}

// deliver writes, says that this was all, and waits until the receiver has read
// it.
func (s *syslog) deliver(conn net.Conn, all []byte) error {
	if _, err := conn.Write(all); err != nil {
		return fmt.Errorf("writing: %w", err)
	}
	half, ok := conn.(interface{ CloseWrite() error })
	if !ok || !s.config.Confirm {
		return nil
	}
	if err := half.CloseWrite(); err != nil {
		return fmt.Errorf("closing: %w", err)
	}
	_, err := io.Copy(io.Discard, io.LimitReader(conn, maxAnswer))
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) { // TLS peers that close without a word have read to the end, too
		return fmt.Errorf("waiting until it has read all: %w; a receiver that does not close its side needs confirm: false", err)
	}
	return nil
}

// severities of RFC 5424.
const (
	syslogAlert   = 1
	syslogError   = 3
	syslogWarning = 4
	syslogNotice  = 5
	syslogInfo    = 6
)

func severityOf(d *Data) int {
	if !d.Firing {
		return syslogNotice
	}
	switch d.Severity {
	case analyze.SeverityHigh:
		return syslogAlert
	case analyze.SeverityMedium:
		return syslogError
	case analyze.SeverityLow:
		return syslogWarning
	case analyze.SeverityInfo:
	}
	return syslogInfo
}

// byteOrderMark says that what follows is UTF-8, as RFC 5424 wants it.
const byteOrderMark = "\ufeff"

// format writes one message: <PRI>1 TIME HOST APP PROCID MSGID [DATA] TEXT.
func (s *syslog) format(m *Message) ([]byte, error) {
	d := s.texts.DataOf(&m.Alert)
	text, err := render(s.config.Text, &d, func(d *Data) string { return headline(d) + ": " + describe(d) })
	if err != nil {
		return nil, err
	}
	at := m.Alert.Changed
	if at.IsZero() {
		at = s.now()
	}
	var b strings.Builder
	fmt.Fprintf(&b, "<%d>1 %s %s %s %s %s ", s.config.Facility*8+severityOf(&d), at.UTC().Format("2006-01-02T15:04:05.000000Z"),
		s.config.Hostname, s.config.AppName, s.pid, messageID(&d))
	s.data(&b, &d)
	room := maxSyslog - b.Len() - len(" ") - len(byteOrderMark)
	// One line: receivers write what they get to files of lines.
	return []byte(b.String() + " " + byteOrderMark + shorten(oneLine(text), max(room, 0))), nil
}

// messageID is the kind: at most 32 printable characters.
func messageID(d *Data) string {
	id := printable(string(d.Kind))
	if len(id) > 32 {
		id = id[:32]
	}
	if id == "" {
		return "-"
	}
	return id
}

func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r < '!' || r > '~' {
			return -1
		}
		return r
	}, s)
}

// maxParameter bounds one value of the structured data, in bytes.
const maxParameter = 400

// data writes the structured data.
func (s *syslog) data(b *strings.Builder, d *Data) {
	b.WriteString("[" + s.config.DataID)
	for _, p := range [][2]string{
		{"id", d.ID},
		{"revision", strconv.Itoa(d.Revision)},
		{"kind", string(d.Kind)},
		{"severity", string(d.Severity)},
		{"status", string(d.Status)},
		{"cluster", d.Cluster},
		{"namespace", d.Namespace},
		{"workloads", strings.Join(d.Workloads, ",")},
		{"node", d.Node},
		{"started", stamp(startOf(&d.Alert))},
		{"ended", stamp(d.Ended)},
		{"url", d.URL},
	} {
		if p[1] != "" {
			b.WriteString(" " + p[0] + `="` + parameter.Replace(oneLine(shorten(p[1], maxParameter))) + `"`)
		}
	}
	b.WriteString("]")
}

// parameter escapes what RFC 5424 wants escaped in a value.
var parameter = strings.NewReplacer(`\`, `\\`, `"`, `\"`, `]`, `\]`)

// oneLine takes control characters out of a text.
func oneLine(s string) string {
	s = strings.Join(strings.FieldsFunc(s, func(r rune) bool { return r == '\n' || r == '\r' }), " | ")
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(s, "�"))
}

func stamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339)
}

// Probe connects, and agrees on TLS.
func (s *syslog) Probe(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, s.config.Timeout)
	defer cancel()
	conn, err := s.connect(ctx)
	if err != nil {
		return err
	}
	return quietClose(conn)
}
