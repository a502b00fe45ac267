// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/netcinch/netcinch/recommender/analyze"
	"github.com/netcinch/netcinch/recommender/flow"
)

// view is what of the result is looked at: a namespace, a span of time.
type view struct {
	namespace string
	from, to  string
}

func (v *view) flags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVarP(&v.namespace, "namespace", "n", "", "only what concerns this namespace")
	f.StringVar(&v.from, "from", "", "start of the time looked at: RFC 3339, or a duration back from now (-24h)")
	f.StringVar(&v.to, "to", "", "end of the time looked at: RFC 3339, or a duration back from now")
}

// span reads the two times; zero where none is given.
func (v *view) span(now time.Time) (from, to time.Time, err error) {
	if from, err = moment("--from", v.from, now); err != nil {
		return from, to, err
	}
	if to, err = moment("--to", v.to, now); err != nil {
		return from, to, err
	}
	if !from.IsZero() && !to.IsZero() && !from.Before(to) {
		err = fmt.Errorf("--from %s is not before --to %s", v.from, v.to)
	}
	return from, to, err
}

func moment(flag, text string, now time.Time) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	if d, ok := back(text); ok {
		return now.Add(d), nil
	}
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return t, fmt.Errorf("%s %q: want a time such as 2026-01-31T10:00:00Z, or a duration back from now such as -24h or -7d", flag, text)
	}
	return t, nil
}

// back reads a negative duration; days are 24 hours.
func back(text string) (time.Duration, bool) {
	if !strings.HasPrefix(text, "-") {
		return 0, false
	}
	if days, ok := strings.CutSuffix(text, "d"); ok {
		n, err := strconv.Atoi(days)
		const most = 100_000 // some 270 years, what a duration holds
		return time.Duration(n) * 24 * time.Hour, err == nil && n >= -most
	}
	d, err := time.ParseDuration(text)
	return d, err == nil
}

// within keeps the records whose windows touch the span.
func within(records []flow.Record, from, to time.Time) []flow.Record {
	if from.IsZero() && to.IsZero() {
		return records
	}
	var kept []flow.Record
	for _, r := range records {
		if (from.IsZero() || r.Window.End.After(from)) && (to.IsZero() || r.Window.Start.Before(to)) {
			kept = append(kept, r)
		}
	}
	return kept
}

// query is the view as the API takes it.
func (v *view) query() url.Values {
	q := url.Values{}
	for name, value := range map[string]string{"namespace": v.namespace, "from": v.from, "to": v.to} {
		if value != "" {
			q.Set(name, value)
		}
	}
	return q
}

// concerns says whether an edge has an end in the namespace that is looked at.
func (v *view) concerns(e *analyze.Edge) bool {
	return v.namespace == "" || e.Client.Namespace == v.namespace || e.Server.Namespace == v.namespace
}

// meta is what each answer of the API begins with.
type meta struct {
	Window analyze.Window `json:"window"`
}
