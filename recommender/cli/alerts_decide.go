// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"errors"
	"fmt"
	"io"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/netcinch/netcinch/recommender/alert"
	"github.com/netcinch/netcinch/recommender/analyze"
)

// reason is why somebody decides, and who.
type reason struct{ text, by string }

func (r *reason) flags(cmd *cobra.Command) {
	cmd.Flags().StringVar(&r.text, "reason", "", "why; it stays in the audit trail (needed)")
	cmd.Flags().StringVar(&r.by, "by", "", "who, beside what the token says (default: $USER)")
}

func (r *reason) known(env *Env) error {
	if strings.TrimSpace(r.text) == "" {
		return errors.New("give --reason: it stays in the audit trail")
	}
	if r.by == "" {
		r.by = env.Getenv("USER")
	}
	return nil
}

// period reads a duration, with days.
func period(flag, text string) (time.Duration, error) {
	d, err := time.ParseDuration(text)
	if days, ok := strings.CutSuffix(text, "d"); ok {
		n, wrong := strconv.ParseUint(days, 10, 12)
		d, err = time.Duration(n)*24*time.Hour, wrong
	}
	if err != nil || d <= 0 {
		return 0, fmt.Errorf("%s %q: want a duration such as 2h or 7d", flag, text)
	}
	return d, nil
}

func newDecide(env *Env, verb, short string) *cobra.Command {
	var a alertsCommand
	var why reason
	var span string
	cmd := &cobra.Command{
		Use:     verb + " ID",
		Short:   short,
		Args:    cobra.ExactArgs(1),
		Example: "  netcinch alerts " + verb + ` 3f0c9a51d2b7e864 --reason "TICKET-12"`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := errors.Join(a.out.known(), why.known(env)); err != nil {
				return err
			}
			body := map[string]any{"reason": why.text, "by": why.by}
			if span != "" {
				d, err := period("--for", span)
				if err != nil {
					return err
				}
				body["until"] = env.Now().Add(d).UTC()
			}
			c, err := a.client(env)
			if err != nil {
				return err
			}
			var one alertShown
			if err = c.post(cmd.Context(), "/api/v1/alerts/"+url.PathEscape(args[0])+"/"+verb, body, &one); err != nil {
				return err
			}
			return a.out.print(env.Stdout, one, one.decided)
		},
	}
	a.flags(cmd)
	why.flags(cmd)
	if verb == "accept" {
		cmd.Flags().StringVar(&span, "for", "", "accept for this time only, such as 7d (default: for ever)")
	}
	return cmd
}

// decided says what came of a decision, and the edit that goes with it.
func (s *alertShown) decided(w io.Writer) error {
	var b strings.Builder
	a := &s.Alert
	fmt.Fprintf(&b, "%s: %s\n", a.Status, a.Title)
	switch a.Status {
	case alert.Accepted:
		editText(&b, "The edit that goes with it", a.Accept)
	case alert.Rejected:
		editText(&b, "The edit that cuts it", a.Narrowing)
	case alert.Firing, alert.Silenced, alert.Resolved:
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func newSilence(env *Env) *cobra.Command {
	var a alertsCommand
	var why reason
	var want alert.Silence
	var span, kind, severity string
	cmd := &cobra.Command{
		Use:   "silence [ID]",
		Short: "Hold alerts back until a time",
		Args:  cobra.MaximumNArgs(1),
		Example: `  netcinch alerts silence 3f0c9a51d2b7e864 --for 2h --reason "being repaired"
  netcinch alerts silence --namespace test --kind denied-burst --for 7d --reason "chaos week"`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := errors.Join(a.out.known(), why.known(env)); err != nil {
				return err
			}
			if span == "" {
				return errors.New("give --for: a silence needs an end, such as 2h or 7d")
			}
			d, err := period("--for", span)
			if err != nil {
				return err
			}
			body := map[string]any{"reason": why.text, "by": why.by, "until": env.Now().Add(d).UTC(), "namespace": want.Namespace, "workload": want.Workload}
			for name, value := range map[string]string{"kind": kind, "severity": severity} {
				if value != "" {
					body[name] = value
				}
			}
			if len(args) == 1 {
				body["alert"] = args[0]
			}
			c, err := a.client(env)
			if err != nil {
				return err
			}
			var made alert.Silence
			if err = c.post(cmd.Context(), "/api/v1/silences", body, &made); err != nil {
				return err
			}
			return a.out.print(env.Stdout, made, func(w io.Writer) error {
				_, err := fmt.Fprintf(w, "Silence %s holds until %s.\n", made.ID, analyze.Moment(made.Until))
				return err
			})
		},
	}
	a.flags(cmd)
	why.flags(cmd)
	f := cmd.Flags()
	f.StringVar(&span, "for", "", "how long, such as 2h or 7d (needed)")
	f.StringVar(&kind, "kind", "", "alerts of this kind")
	f.StringVar(&severity, "severity", "", "alerts of this severity")
	f.StringVarP(&want.Namespace, "namespace", "n", "", "alerts of workloads in this namespace")
	f.StringVar(&want.Workload, "workload", "", "alerts of this workload, namespace/name")
	return cmd
}

func newSilences(env *Env) *cobra.Command {
	var a alertsCommand
	cmd := &cobra.Command{
		Use:     "silences",
		Short:   "List the silences that hold",
		Args:    cobra.NoArgs,
		Example: "  netcinch alerts silences",
		RunE: func(cmd *cobra.Command, _ []string) error {
			var list struct {
				Items []alert.Silence `json:"items"`
			}
			if err := a.ask(cmd.Context(), env, "/api/v1/silences", nil, &list); err != nil {
				return err
			}
			return a.out.print(env.Stdout, list, func(w io.Writer) error {
				var rows [][]string
				for _, s := range list.Items {
					rows = append(rows, []string{s.ID, silenceText(&s), s.Until.UTC().Format(time.RFC3339), s.By, s.Reason})
				}
				return table(w, "No silence holds.", []string{"ID", "FOR", "UNTIL", "BY", "REASON"}, rows)
			})
		},
	}
	a.flags(cmd)
	return cmd
}

func silenceText(s *alert.Silence) string {
	var parts []string
	for _, one := range [][2]string{{"alert", s.Alert}, {"kind", string(s.Kind)}, {"severity", string(s.Severity)}, {"namespace", s.Namespace}, {"workload", s.Workload}} {
		if one[1] != "" {
			parts = append(parts, one[0]+" "+one[1])
		}
	}
	return strings.Join(parts, ", ")
}

func newUnsilence(env *Env) *cobra.Command {
	var a alertsCommand
	var why reason
	cmd := &cobra.Command{
		Use:     "unsilence ID",
		Short:   "End a silence before its time",
		Args:    cobra.ExactArgs(1),
		Example: `  netcinch alerts unsilence abcdefghijklmnop --reason "repaired"`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := why.known(env); err != nil {
				return err
			}
			c, err := a.client(env)
			if err != nil {
				return err
			}
			var nothing []byte
			if err = c.post(cmd.Context(), "/api/v1/silences/"+url.PathEscape(args[0])+"/end", map[string]any{"reason": why.text, "by": why.by}, &nothing); err != nil {
				return err
			}
			_, err = fmt.Fprintf(env.Stdout, "Silence %s is over.\n", args[0])
			return err
		},
	}
	a.remote.flags(cmd)
	why.flags(cmd)
	return cmd
}
