// SPDX-License-Identifier: Apache-2.0

package sink

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"time"

	"github.com/netcinch/netcinch/recommender/alert"
	"github.com/netcinch/netcinch/recommender/alert/deliver/config"
)

// lasts is for how many repetitions an alert holds without the next one, as
// Prometheus does it: a receiver closes it when the recommender is gone.
const lasts = 4

// alertmanager speaks the Alertmanager's API, version 2. Labels name an alert
// there, so that they are the same as long as it lasts.
type alertmanager struct {
	client *client
	config *config.Alertmanager
	texts  Texts
	now    Clock
}

func newAlertmanager(c *config.Alertmanager, t Texts, o Options) *alertmanager {
	return &alertmanager{client: newClient(&c.HTTP, o), config: c, texts: t, now: o.Now}
}

// postable is one alert of POST /api/v2/alerts.
type postable struct {
	Labels      map[string]string `json:"labels"`
	Annotations map[string]string `json:"annotations"`
	StartsAt    time.Time         `json:"startsAt"`
	EndsAt      time.Time         `json:"endsAt"`
	Generator   string            `json:"generatorURL,omitempty"`
}

func (*alertmanager) Batch() int { return 64 }

func (a *alertmanager) Every() time.Duration { return a.config.Resend }

// Send tells what fires, and what is over: with the end in the past, which
// makes the Alertmanager say so to its own receivers.
func (a *alertmanager) Send(ctx context.Context, messages []Message) error {
	now := a.now()
	var all []postable
	for i := range messages {
		m := &messages[i]
		one, err := a.postable(&m.Alert, now)
		if err != nil {
			return err
		}
		if m.Before != nil {
			before, err := a.postable(m.Before, now)
			if err == nil && !maps.Equal(before.Labels, one.Labels) {
				before.EndsAt = now // under other labels it would go on
				all = append(all, before)
			}
		}
		all = append(all, one)
	}
	return a.post(ctx, all)
}

// Repeat tells again what fires.
func (a *alertmanager) Repeat(ctx context.Context, alerts []alert.Alert) error {
	now := a.now()
	all := make([]postable, 0, len(alerts))
	for i := range alerts {
		one, err := a.postable(&alerts[i], now)
		if err != nil {
			return err
		}
		all = append(all, one)
	}
	return a.post(ctx, all)
}

func (a *alertmanager) post(ctx context.Context, all []postable) error {
	body, err := encode(all)
	if err != nil {
		return err
	}
	return a.client.post(ctx, a.path("api/v2/alerts"), "application/json", body, nil)
}

func (a *alertmanager) path(p string) *url.URL { return a.config.HTTP.URL.JoinPath(p) }

func (a *alertmanager) postable(of *alert.Alert, now time.Time) (postable, error) {
	d := a.texts.DataOf(of)
	p := postable{Labels: map[string]string{}, Annotations: map[string]string{}, StartsAt: startOf(of), EndsAt: now.Add(lasts * a.config.Resend), Generator: d.URL}
	if !d.Firing {
		p.EndsAt = now
		if !of.Ended.IsZero() && of.Ended.Before(now) {
			p.EndsAt = of.Ended
		}
		if p.EndsAt.Before(p.StartsAt) {
			p.EndsAt = p.StartsAt // the API refuses an end before the start
		}
	}
	for name, value := range labelsOf(of, &d) {
		put(p.Labels, name, value)
	}
	put(p.Annotations, "summary", of.Title)
	put(p.Annotations, "description", describe(&d))
	if err := fill(p.Labels, a.config.Labels, &d); err != nil {
		return p, err
	}
	return p, fill(p.Annotations, a.config.Annotations, &d)
}

// startOf is since when an alert fires.
func startOf(of *alert.Alert) time.Time {
	if !of.Raised.IsZero() {
		return of.Raised
	}
	return of.Started
}

// labelsOf are the labels that name an alert.
func labelsOf(of *alert.Alert, d *Data) map[string]string {
	all := map[string]string{}
	put(all, "alertname", "Netcinch"+d.Name)
	put(all, "cluster", of.Cluster)
	put(all, "kind", string(of.Kind))
	put(all, "severity", string(of.Severity))
	put(all, "namespace", of.Namespace)
	put(all, "alert_id", of.ID)
	for name, value := range of.Labels {
		put(all, name, value)
	}
	return all
}

// put sets what is not empty: an empty label is none.
func put(all map[string]string, name, value string) {
	if value != "" {
		all[name] = value
	}
}

func fill(all map[string]string, templates map[string]*config.Template, d *Data) error {
	for name, t := range templates {
		text, err := t.Render(d)
		if err != nil {
			return &RefusedError{Reason: fmt.Sprintf("the template of %s: %v", name, err)}
		}
		if text == "" {
			delete(all, name)
			continue
		}
		all[name] = text
	}
	return nil
}

// Probe asks whether it is ready.
func (a *alertmanager) Probe(ctx context.Context) error {
	answer, err := a.client.do(ctx, http.MethodGet, a.path("-/ready"), "", nil, nil)
	if err != nil {
		return err
	}
	if answer.status == http.StatusNotFound { // behind a proxy that lets the API through only
		answer, err = a.client.do(ctx, http.MethodGet, a.path("api/v2/status"), "", nil, nil)
		if err != nil {
			return err
		}
	}
	return a.client.judge(answer)
}
