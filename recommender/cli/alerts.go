// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"context"
	"fmt"
	"io"
	"net/url"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/netcinch/netcinch/recommender/alert"
	"github.com/netcinch/netcinch/recommender/analyze"
	"github.com/netcinch/netcinch/recommender/store"
)

// alertsCommand is what the subcommands of alerts have in common.
type alertsCommand struct {
	remote
	out output
}

func newAlerts(env *Env) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "alerts",
		Aliases: []string{"alert"},
		Short:   "What deserves to wake somebody: list, show, accept, reject, silence, test sinks",
		Long: `Alerts asks a running recommender what departs from what its workloads usually do,
and decides about it. Accepting makes the connection known: it teaches the advice
from then on. Rejecting keeps it out, and shows the policy edit that cuts it.
Silencing holds alerts back for a time. Every decision needs a reason, which stays
in the audit trail together with who took it. No command changes a cluster.

Sinks, test and check are about where alerts are told (serve --alerts FILE).`,
		Example: `  netcinch alerts list --status firing
  netcinch alerts show 3f0c9a51d2b7e864
  netcinch alerts accept 3f0c9a51d2b7e864 --reason "new report job, TICKET-12"
  netcinch alerts reject 3f0c9a51d2b7e864 --reason "nobody knows it" -o yaml
  netcinch alerts silence --workload shop/cart --for 2h --reason "load test"
  netcinch alert test --alerts alerts.yaml`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(
		newAlertsList(env), newAlertsShow(env), newDecide(env, "accept", "Accept an alert: what it is about is known from then on"),
		newDecide(env, "reject", "Reject an alert: what it is about teaches nothing; shows the edit that cuts it"),
		newDecide(env, "reopen", "Take back what was decided about an alert"), newSilence(env), newSilences(env), newUnsilence(env), newTrail(env),
		newSinks(env), newSinkTest(env), newSinkCheck(env),
	)
	return cmd
}

func (a *alertsCommand) flags(cmd *cobra.Command) {
	a.remote.flags(cmd)
	a.out.flag(cmd)
}

type alertListing struct {
	Items     []alert.Alert `json:"items"`
	Total     int           `json:"total"`
	ToldToday int           `json:"toldToday"`
	Budget    int           `json:"budget"`
}

func newAlertsList(env *Env) *cobra.Command {
	var a alertsCommand
	var fail failOn
	var namespace, kind, status, severity, text string
	cmd := &cobra.Command{
		Use:     "list",
		Short:   "List alerts, those that fire first",
		Args:    cobra.NoArgs,
		Example: "  netcinch alerts list --status firing --severity high\n  netcinch alerts list --fail-on high",
	}
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if err := a.out.known(); err != nil {
			return err
		}
		c, err := a.client(env)
		if err != nil {
			return err
		}
		query := url.Values{}
		for name, value := range map[string]string{"namespace": namespace, "kind": kind, "status": status, "severity": severity, "q": text} {
			if value != "" {
				query.Set(name, value)
			}
		}
		var list alertListing
		if err = c.get(cmd.Context(), "/api/v1/alerts", query, &list); err != nil {
			return err
		}
		if err = a.out.print(env.Stdout, list, func(w io.Writer) error { return alertTable(w, &list, env.Now()) }); err != nil {
			return err
		}
		var firing []string
		for i := range list.Items {
			if list.Items[i].Status == alert.Firing {
				firing = append(firing, string(list.Items[i].Severity))
			}
		}
		return fail.on(firing...)
	}
	a.flags(cmd)
	f := cmd.Flags()
	f.StringVarP(&namespace, "namespace", "n", "", "only alerts of workloads in this namespace")
	f.StringVar(&kind, "kind", "", "only this kind, such as unseen-outside")
	f.StringVar(&status, "status", "", "firing, silenced, rejected, accepted or resolved")
	f.StringVar(&severity, "severity", "", "high, medium, low or info")
	f.StringVar(&text, "search", "", "only alerts with this text in their title or workloads")
	fail.flag(cmd, "high", "medium", "low", "info")
	return cmd
}

func alertTable(w io.Writer, list *alertListing, now time.Time) error {
	var rows [][]string
	for i := range list.Items {
		a := &list.Items[i]
		status := string(a.Status)
		if a.Held != "" {
			status += ", held"
		}
		rows = append(rows, []string{a.ID, string(a.Severity), status, string(a.Kind), ago(now, a.LastSeen), a.Title})
	}
	if err := table(w, "No alerts.", []string{"ID", "SEVERITY", "STATUS", "KIND", "LAST SEEN", "TITLE"}, rows); err != nil {
		return err
	}
	_, err := fmt.Fprintf(w, "%d of %d that may wake somebody today were told.\n", list.ToldToday, list.Budget)
	return err
}

func ago(now, at time.Time) string {
	if at.IsZero() {
		return ""
	}
	if d := now.Sub(at); d >= time.Second {
		return analyze.Span(d) + " ago"
	}
	return "now"
}

// alertShown is one alert as the API answers it.
type alertShown struct {
	Alert alert.Alert      `json:"alert"`
	Info  alert.KindInfo   `json:"info"`
	Trail []store.Decision `json:"trail"`
}

func newAlertsShow(env *Env) *cobra.Command {
	var a alertsCommand
	cmd := &cobra.Command{
		Use:     "show ID",
		Short:   "Show one alert: evidence, what let it through, the edits that cut or accept it",
		Args:    cobra.ExactArgs(1),
		Example: "  netcinch alerts show 3f0c9a51d2b7e864",
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := a.out.known(); err != nil {
				return err
			}
			c, err := a.client(env)
			if err != nil {
				return err
			}
			var one alertShown
			if err = c.get(cmd.Context(), "/api/v1/alerts/"+url.PathEscape(args[0]), nil, &one); err != nil {
				return err
			}
			return a.out.print(env.Stdout, one, one.write)
		},
	}
	a.flags(cmd)
	return cmd
}

func (s *alertShown) write(w io.Writer) error {
	var b strings.Builder
	a := &s.Alert
	fmt.Fprintf(&b, "%s\n\n%s  %s  %s  %s\n%s\n\n", a.Title, a.ID, a.Severity, a.Status, a.Kind, a.Text)
	fmt.Fprintf(&b, "Seen:    %s to %s\n", analyze.Moment(a.Started), analyze.Moment(a.LastSeen))
	for _, line := range [][2]string{{"Held:    ", a.Held}, {"Page:    ", a.Link}, {"Who:     ", strings.Join(a.Workloads, ", ")}, {"Program: ", strings.Join(a.Processes, ", ")}} {
		if line[1] != "" {
			fmt.Fprintf(&b, "%s%s\n", line[0], line[1])
		}
	}
	b.WriteString("\nEvidence:\n")
	for _, e := range a.Evidence {
		fmt.Fprintf(&b, "  - %s\n", e)
	}
	editText(&b, "To cut it", a.Narrowing)
	editText(&b, "To accept it", a.Accept)
	if len(s.Trail) > 0 {
		b.WriteString("\nDecided:\n")
	}
	for _, d := range s.Trail {
		fmt.Fprintf(&b, "  - %s %s by %s: %s%s\n", analyze.Moment(d.At), d.Verdict, d.By, d.Reason, untilText(d.Until))
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func untilText(at time.Time) string {
	if at.IsZero() {
		return ""
	}
	return " (until " + analyze.Moment(at) + ")"
}

func editText(b *strings.Builder, title string, e *alert.Edit) {
	if e == nil {
		return
	}
	proved := ""
	if e.Exact && e.Policy != nil {
		proved = " (proved)"
	}
	fmt.Fprintf(b, "\n%s%s: %s\n", title, proved, e.Text)
	if e.File != "" {
		fmt.Fprintf(b, "  %s:%d\n", e.File, e.Line)
	}
	for line := range strings.Lines(e.Diff) {
		b.WriteString("  " + strings.TrimRight(line, "\n") + "\n")
	}
}

// ask gets an answer of the recommender, for what can be printed.
func (a *alertsCommand) ask(ctx context.Context, env *Env, path string, query url.Values, answer any) error {
	if err := a.out.known(); err != nil {
		return err
	}
	c, err := a.client(env)
	if err != nil {
		return err
	}
	return c.get(ctx, path, query, answer)
}

func newTrail(env *Env) *cobra.Command {
	var a alertsCommand
	limit := 0
	cmd := &cobra.Command{
		Use:     "trail",
		Short:   "Show the audit trail: who decided what, when and why, the newest first",
		Args:    cobra.NoArgs,
		Example: "  netcinch alerts trail -o json",
		RunE: func(cmd *cobra.Command, _ []string) error {
			var list struct {
				Items []store.Decision `json:"items"`
				Total int              `json:"total"`
			}
			if err := a.ask(cmd.Context(), env, "/api/v1/decisions", url.Values{"limit": {fmt.Sprint(limit)}}, &list); err != nil {
				return err
			}
			return a.out.print(env.Stdout, list, func(w io.Writer) error {
				var rows [][]string
				for _, d := range list.Items {
					rows = append(rows, []string{d.At.UTC().Format(time.RFC3339), string(d.Verdict), d.Finding, d.By, d.Reason + untilText(d.Until)})
				}
				return table(w, "Nothing was decided.", []string{"AT", "VERDICT", "ABOUT", "BY", "REASON"}, rows)
			})
		},
	}
	a.flags(cmd)
	cmd.Flags().IntVar(&limit, "limit", 200, "how many entries")
	return cmd
}
