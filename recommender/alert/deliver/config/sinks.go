// SPDX-License-Identifier: Apache-2.0

package config

import (
	"maps"
	"net"
	"os"
	"regexp"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

// sinkName is what a sink may be called: it is a label of metrics and a part of
// paths.
var sinkName = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`)

// labelName is a name of a label or an annotation.
var labelName = regexp.MustCompile(`^[a-zA-Z_][a-zA-Z0-9_]*$`)

// sink reads one sink. Its type says which fields there are.
func (l *loader) sink(at place) {
	s := Sink{Line: at.line(), SendResolved: true, Queue: DefaultQueue, Retry: DefaultRetry, MaxRetry: DefaultMaxRetry, DeadAfter: DefaultDeadAfter}
	known := fields{
		"name":         l.text(&s.Name),
		"type":         l.text(&s.Type),
		"sendResolved": l.flag(&s.SendResolved),
		"queue":        l.number(&s.Queue, 1, MaxQueue),
		"retry":        l.duration(&s.Retry, 10*time.Millisecond, maxWait),
		"maxRetry":     l.duration(&s.MaxRetry, 10*time.Millisecond, maxWait),
		"deadAfter":    l.duration(&s.DeadAfter, time.Second, maxWait),
	}
	if at.node.Kind == yaml.MappingNode && !l.fieldsOf(&s, at, known) {
		return
	}
	before := len(l.problems)
	l.mapping(at, known)
	if len(l.problems) == before {
		l.complete(&s, at)
	}
	switch {
	case s.Name == "":
		if len(l.problems) == before {
			l.fail(at, "the sink has no name; give it one, such as name: %s", s.Type)
		}
		return
	case !sinkName.MatchString(s.Name):
		l.fail(at, "the name %q: want small letters, digits and hyphens, 63 at most", s.Name)
	case l.config.Sink(s.Name) != nil:
		l.fail(at, "there is a sink %q in line %d already; give each a name of its own", s.Name, l.config.Sink(s.Name).Line)
	}
	if s.MaxRetry < s.Retry {
		l.fail(at, "maxRetry %v is shorter than retry %v", s.MaxRetry, s.Retry)
	}
	l.config.Sinks = append(l.config.Sinks, s)
}

// fieldsOf adds the fields of the sink's type.
func (l *loader) fieldsOf(s *Sink, at place, known fields) bool {
	kind := ""
	for i := 0; i+1 < len(at.node.Content); i += 2 {
		if at.node.Content[i].Value == "type" {
			kind = at.node.Content[i+1].Value
		}
	}
	var more fields
	switch kind {
	case TypeAlertmanager:
		s.Alertmanager = &Alertmanager{Resend: DefaultResend}
		more = l.http(&s.Alertmanager.HTTP)
		more["resend"] = l.duration(&s.Alertmanager.Resend, time.Second, time.Hour)
		more["labels"] = l.templates(&s.Alertmanager.Labels, labelName)
		more["annotations"] = l.templates(&s.Alertmanager.Annotations, labelName)
	case TypeWebhook:
		s.Webhook = &Webhook{}
		more = l.http(&s.Webhook.HTTP)
		more["sign"] = l.secret(&s.Webhook.Sign)
		more["signPrevious"] = l.secret(&s.Webhook.Previous)
		more["source"] = l.text(&s.Webhook.Source)
		more["data"] = l.template(&s.Webhook.Data, jsonText)
	case TypeSlack:
		s.Slack = &Slack{}
		more = l.http(&s.Slack.HTTP)
		more["channel"] = l.text(&s.Slack.Channel)
		more["username"] = l.text(&s.Slack.Username)
		more["title"] = l.template(&s.Slack.Title, anyText)
		more["text"] = l.template(&s.Slack.Text, anyText)
	case TypeKubernetes:
		s.Kubernetes = &Kubernetes{}
		more = fields{"note": l.template(&s.Kubernetes.Note, anyText)}
	case TypeSyslog:
		s.Syslog = &Syslog{Timeout: DefaultTimeout, Facility: facilities["local0"], AppName: "netcinch", DataID: DefaultDataID, Confirm: true}
		more = l.syslog(s.Syslog)
	case TypeStdout:
		s.Stdout = &Stdout{}
	default:
		want := "want one of " + strings.Join(Types(), ", ")
		if kind == "" {
			l.fail(at, "the sink has no type; %s", want)
		} else {
			l.fail(at, "type %q: %s", kind, want)
		}
		return false
	}
	maps.Copy(known, more)
	return true
}

// complete checks what must be there, once all fields are read.
func (l *loader) complete(s *Sink, at place) {
	for _, h := range []*HTTP{s.http()} {
		if h != nil {
			l.completeHTTP(h, s, at)
		}
	}
	switch {
	case s.Type == TypeKubernetes && !l.options.Kubernetes:
		l.fail(at, "a sink of type kubernetes needs an API server; this recommender reads manifests from files")
	case s.Type == TypeWebhook && s.Webhook.Previous.Given() && !s.Webhook.Sign.Given():
		l.fail(at, "signPrevious is the key that sign replaces; give sign, too")
	case s.Type == TypeSyslog:
		l.completeSyslog(s.Syslog, at)
	}
}

func (s *Sink) http() *HTTP {
	switch s.Type {
	case TypeAlertmanager:
		return &s.Alertmanager.HTTP
	case TypeWebhook:
		return &s.Webhook.HTTP
	case TypeSlack:
		return &s.Slack.HTTP
	}
	return nil
}

// DefaultDataID names our structured data. 32473 is the number that RFC 5612
// keeps for those who have none of their own.
const DefaultDataID = "netcinch@32473"

// facilities are the names of RFC 5424's facilities, as syslog daemons write them.
var facilities = map[string]int{
	"kern": 0, "user": 1, "mail": 2, "daemon": 3, "auth": 4, "syslog": 5, "lpr": 6, "news": 7, "uucp": 8, "cron": 9, "authpriv": 10, "ftp": 11,
	"local0": 16, "local1": 17, "local2": 18, "local3": 19, "local4": 20, "local5": 21, "local6": 22, "local7": 23,
}

// Printable US-ASCII without blanks, as RFC 5424 wants it of names.
var (
	syslogName = regexp.MustCompile(`^[!-~]{1,48}$`)
	dataID     = regexp.MustCompile(`^[!#-<>-\\^-~]{1,32}$`)
)

func (l *loader) syslog(s *Syslog) fields {
	return fields{
		"address": func(at place) {
			if text, ok := l.scalar(at, "host:port"); ok {
				host, port, err := net.SplitHostPort(text)
				if err != nil || host == "" || port == "" {
					l.fail(at, "%q: want host:port, such as logs.example.org:6514", text)
					return
				}
				s.Address = text
			}
		},
		"tls":     l.tls(&s.TLS),
		"timeout": l.duration(&s.Timeout, time.Second, 5*time.Minute),
		"facility": func(at place) {
			if name, ok := l.scalar(at, "a facility such as local0"); ok {
				if number, ok := facilities[name]; ok {
					s.Facility = number
				} else {
					l.fail(at, "%q: want a facility such as auth, daemon or local0", name)
				}
			}
		},
		"hostname": l.syslogName(&s.Hostname, syslogName),
		"appName":  l.syslogName(&s.AppName, syslogName),
		"dataId":   l.syslogName(&s.DataID, dataID),
		"confirm":  l.flag(&s.Confirm),
		"text":     l.template(&s.Text, anyText),
	}
}

func (l *loader) syslogName(into *string, form *regexp.Regexp) func(place) {
	return func(at place) {
		if s, ok := l.scalar(at, "a name"); ok {
			if !form.MatchString(s) {
				l.fail(at, "%q: want printable ASCII without blanks, as RFC 5424 has it", s)
				return
			}
			*into = s
		}
	}
}

func (l *loader) completeSyslog(s *Syslog, at place) {
	if s.Address == "" {
		l.fail(at, "the sink has no address; give host:port")
		return
	}
	if s.Hostname == "" {
		if name, err := os.Hostname(); err == nil && syslogName.MatchString(name) {
			s.Hostname = name
		} else {
			s.Hostname = "-"
		}
	}
	if s.TLS != nil && s.TLS.ServerName == "" {
		s.TLS.ServerName, _, _ = net.SplitHostPort(s.Address) // looked at when it was read
	}
}
