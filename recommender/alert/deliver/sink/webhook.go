// SPDX-License-Identifier: Apache-2.0

package sink

import (
	"context"
	"encoding/json"
	"net/http"
	"time"

	"github.com/netcinch/netcinch/recommender/alert/deliver/config"
	"github.com/netcinch/netcinch/recommender/alert/deliver/signature"
)

// The types of the events.
const (
	EventFiring = "io.netcinch.alert.firing.v1"
	EventEnded  = "io.netcinch.alert.ended.v1"
)

// webhook posts CloudEvents 1.0 in structured mode, one a request.
type webhook struct {
	client *client
	config *config.Webhook
	texts  Texts
	now    Clock
}

func newWebhook(c *config.Webhook, t Texts, o Options) *webhook {
	return &webhook{client: newClient(&c.HTTP, o), config: c, texts: t, now: o.Now}
}

// event is a CloudEvent in JSON.
type event struct {
	SpecVersion string          `json:"specversion"`
	ID          string          `json:"id"`
	Source      string          `json:"source"`
	Type        string          `json:"type"`
	Subject     string          `json:"subject,omitempty"`
	Time        time.Time       `json:"time"`
	ContentType string          `json:"datacontenttype"`
	Data        json.RawMessage `json:"data"`
}

func (*webhook) Batch() int { return 1 }

func (w *webhook) Send(ctx context.Context, messages []Message) error {
	for i := range messages {
		if err := w.send(ctx, &messages[i]); err != nil {
			return err
		}
	}
	return nil
}

func (w *webhook) send(ctx context.Context, m *Message) error {
	body, err := w.event(m)
	if err != nil {
		return err
	}
	header := http.Header{}
	if w.config.Sign.Given() {
		keys := [][]byte{[]byte(w.config.Sign.Reveal())}
		if w.config.Previous.Given() {
			keys = append(keys, []byte(w.config.Previous.Reveal()))
		}
		header.Set(signature.Header, signature.Sign(w.now(), body, keys...))
	}
	return w.client.post(ctx, w.config.HTTP.URL, "application/cloudevents+json; charset=UTF-8", body, header)
}

// event writes a message. A repetition of it has the same id and source, by
// which its receiver knows it.
func (w *webhook) event(m *Message) ([]byte, error) {
	d := w.texts.DataOf(&m.Alert)
	e := event{
		SpecVersion: "1.0", ID: m.Key, Source: w.source(m), Type: EventFiring, Time: m.Alert.Changed.UTC(), ContentType: "application/json",
	}
	if !d.Firing {
		e.Type = EventEnded
	}
	if len(m.Alert.Workloads) > 0 {
		e.Subject = m.Alert.Workloads[0]
	}
	if e.Time.IsZero() {
		e.Time = startOf(&m.Alert).UTC()
	}
	var err error
	if w.config.Data == nil {
		e.Data, err = encode(recordOf(&d))
	} else {
		var text string
		if text, err = render(w.config.Data, &d, nil); err == nil && !json.Valid([]byte(text)) {
			err = &RefusedError{Reason: "what the template data gives is not JSON"}
		}
		e.Data = json.RawMessage(text)
	}
	if err != nil {
		return nil, err
	}
	return encode(e)
}

func (w *webhook) source(m *Message) string {
	base := w.config.Source
	if base == "" {
		base = w.texts.Page
	}
	if base == "" {
		base = "/netcinch"
	}
	if m.Alert.Cluster == "" {
		return base
	}
	return base + "/clusters/" + m.Alert.Cluster
}

// Probe connects: a request could be taken for an alert.
func (w *webhook) Probe(ctx context.Context) error { return w.client.connect(ctx) }
