// SPDX-License-Identifier: Apache-2.0

package sink

import (
	"strings"

	"github.com/netcinch/netcinch/recommender/alert"
	"github.com/netcinch/netcinch/recommender/alert/deliver/config"
)

// maxEvidence is how many sentences of evidence a text has.
const maxEvidence = 6

// describe is what people are told where no template says otherwise.
func describe(d *Data) string {
	var b strings.Builder
	line := func(parts ...string) {
		for _, p := range parts {
			b.WriteString(p)
		}
		b.WriteByte('\n')
	}
	if !d.Firing {
		line(over(d))
	}
	if d.Text != "" {
		line(d.Text)
	}
	for i, e := range d.Evidence {
		if i == maxEvidence {
			line("- …")
			break
		}
		line("- ", e)
	}
	switch {
	case len(d.Allowances) > 0:
		line("Let through by: ", allowances(d))
	case d.Open:
		line("No policy isolates either end.")
	}
	if d.Firing && d.Narrowing != nil && d.Narrowing.Text != "" {
		line("To cut it: ", d.Narrowing.Text)
	}
	if d.Firing && d.Accept != nil && d.Accept.Text != "" {
		line("To accept it: ", d.Accept.Text)
	}
	if d.Firing && d.URL != "" {
		line(d.URL)
	}
	return strings.TrimRight(b.String(), "\n")
}

// over says how an alert ended.
func over(d *Data) string {
	switch {
	case d.Status == alert.Resolved:
		return "It is over: not seen any more."
	case d.Decision != nil:
		return "It was " + string(d.Status) + " by " + d.Decision.By + ": " + d.Decision.Reason
	default:
		return "It was " + string(d.Status) + "."
	}
}

func allowances(d *Data) string {
	var all []string
	for i := range d.Allowances {
		if i == maxEvidence {
			all = append(all, "…")
			break
		}
		all = append(all, d.Allowances[i].Text)
	}
	return strings.Join(all, "; ")
}

// headline is the title with how bad it is, or that it is over.
func headline(d *Data) string {
	if !d.Firing {
		return "[" + string(d.Status) + "] " + d.Title
	}
	return "[" + string(d.Severity) + "] " + d.Title
}

// render fills in a template; without one it gives the text that stands in for it.
func render(t *config.Template, d *Data, without func(*Data) string) (string, error) {
	if t == nil {
		return without(d), nil
	}
	text, err := t.Render(d)
	if err != nil {
		return "", &RefusedError{Reason: err.Error()}
	}
	return strings.TrimSpace(text), nil
}

// shorten cuts a text to so many bytes, between characters.
func shorten(s string, most int) string {
	const dots = "…"
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most-len(dots)], "") + dots
}
