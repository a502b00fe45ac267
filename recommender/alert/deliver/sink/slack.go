// SPDX-License-Identifier: Apache-2.0

package sink

import (
	"context"
	"encoding/json"
	"strings"

	"github.com/netcinch/netcinch/recommender/alert"
	"github.com/netcinch/netcinch/recommender/alert/deliver/config"
	"github.com/netcinch/netcinch/recommender/analyze"
)

// Bounds of Slack's, in bytes.
const (
	maxSlackTitle = 250
	maxSlackText  = 3500
)

// slack posts to an incoming webhook of Slack, or of one that speaks like it:
// Mattermost, Rocket.Chat, Discord's /slack.
type slack struct {
	client *client
	config *config.Slack
	texts  Texts
}

func newSlack(c *config.Slack, t Texts, o Options) *slack {
	return &slack{client: newClient(&c.HTTP, o), config: c, texts: t}
}

type slackMessage struct {
	Channel     string       `json:"channel,omitempty"`
	Username    string       `json:"username,omitempty"`
	Text        string       `json:"text"`
	Attachments []attachment `json:"attachments"`
}

type attachment struct {
	Fallback string       `json:"fallback"`
	Color    string       `json:"color"`
	Title    string       `json:"title"`
	Link     string       `json:"title_link,omitempty"`
	Text     string       `json:"text"`
	Markdown []string     `json:"mrkdwn_in"`
	Fields   []slackField `json:"fields,omitempty"`
	Footer   string       `json:"footer"`
	Time     int64        `json:"ts"`
}

type slackField struct {
	Title string `json:"title"`
	Value string `json:"value"`
	Short bool   `json:"short"`
}

func (*slack) Batch() int { return 1 }

func (s *slack) Send(ctx context.Context, messages []Message) error {
	for i := range messages {
		body, err := s.message(&messages[i])
		if err != nil {
			return err
		}
		if err := s.client.post(ctx, s.config.HTTP.URL, "application/json; charset=utf-8", body, nil); err != nil {
			return err
		}
	}
	return nil
}

func (s *slack) message(m *Message) ([]byte, error) {
	safe, err := escaped(&m.Alert)
	if err != nil {
		return nil, err
	}
	d := s.texts.DataOf(safe)
	title, err := render(s.config.Title, &d, headline)
	if err != nil {
		return nil, err
	}
	text, err := render(s.config.Text, &d, describe)
	if err != nil {
		return nil, err
	}
	title = shorten(title, maxSlackTitle)
	a := attachment{
		Fallback: title, Color: color(&d), Title: title, Link: d.URL, Text: shorten(text, maxSlackText), Markdown: []string{"text"},
		Footer: "Netcinch", Time: startOf(&m.Alert).Unix(),
	}
	for _, f := range []slackField{{"Severity", string(d.Severity), true}, {"Kind", d.Name, true}, {"Cluster", d.Cluster, true}, {"Workloads", strings.Join(d.Workloads, ", "), true}} {
		if f.Value != "" {
			f.Value = shorten(f.Value, maxSlackTitle)
			a.Fields = append(a.Fields, f)
		}
	}
	return encode(slackMessage{Channel: s.config.Channel, Username: s.config.Username, Text: title, Attachments: []attachment{a}})
}

// control takes the meaning from characters with which a message can call
// people or pretend to be a link: names in alerts come from strangers.
var control = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", "@channel", "@\u200bchannel", "@here", "@\u200bhere", "@all", "@\u200ball", "@everyone", "@\u200beveryone")

// escaped gives an alert whose texts have no control characters of Slack's.
func escaped(a *alert.Alert) (*alert.Alert, error) {
	text, err := encode(a)
	if err != nil {
		return nil, err
	}
	var tree any
	if err = json.Unmarshal(text, &tree); err != nil {
		return nil, &RefusedError{Reason: err.Error()}
	}
	if text, err = encode(harmless(tree)); err != nil {
		return nil, err
	}
	var out alert.Alert
	if err := json.Unmarshal(text, &out); err != nil {
		return nil, &RefusedError{Reason: err.Error()}
	}
	return &out, nil
}

func harmless(v any) any {
	switch v := v.(type) {
	case string:
		return control.Replace(v)
	case []any:
		for i := range v {
			v[i] = harmless(v[i])
		}
	case map[string]any:
		for k := range v {
			v[k] = harmless(v[k])
		}
	}
	return v
}

// color goes with the severity; what is over is green.
func color(d *Data) string {
	if !d.Firing {
		return "#2e7d32"
	}
	switch d.Severity {
	case analyze.SeverityHigh:
		return "#b3261e"
	case analyze.SeverityMedium:
		return "#e08a00"
	case analyze.SeverityLow, analyze.SeverityInfo:
	}
	return "#5f6b7a"
}

// Probe connects: a request would be a message.
func (s *slack) Probe(ctx context.Context) error { return s.client.connect(ctx) }
