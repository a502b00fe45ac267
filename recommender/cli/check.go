// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/netcinch/netcinch/recommender/analyze"
	"github.com/netcinch/netcinch/recommender/question"
)

type check struct {
	input
	output
	failOn
	remote
	question question.Question
	port     string
	queries  string
}

func newCheck(env *Env) *cobra.Command {
	c := &check{}
	cmd := &cobra.Command{
		Use:   "check",
		Short: "Is a connection allowed, and why?",
		Long: `Check says whether a connection is allowed by the policies, and for each end
which rule allowed it or which isolation denied it.

An end is namespace/name of a pod or else of a workload, or an address. Where a
folder has workloads and no pods, the pod template stands in. The port is the
port on the destination's own address, not the Service's: a number, or the name
of a container port of the destination.

Where the answer is "denied", the smallest edit is named that would allow it.
With --explain the answer comes with the way to it: every tier, policy and rule
that was asked, in order, and the smallest edit that would turn it around.

With --queries FILE (or - for standard input) each line of the file is one
question in JSON, and the answer to each is one JSON line, in the same order. A
question that cannot be answered gets {"error": …} in its place, and the command
ends with status 2.`,
		Example: `  netcinch check -f manifests/ --from shop/cart --to data/db --port 5432

  # Step by step.
  netcinch check -f manifests/ --from shop/cart --to data/db --port 5432 --explain

  # Many questions; fail where one of them is denied.
  echo '{"from":"shop/cart","to":"data/db","port":5432,"protocol":"TCP"}' > q.jsonl
  netcinch check -f manifests/ --queries q.jsonl --fail-on denied`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return c.run(cmd.Context(), env, cmd) },
	}
	c.manifestFlags(cmd)
	policyFlags(cmd, &c.policies)
	c.output.flag(cmd)
	c.failOn.flag(cmd, "denied", "uncertain")
	c.flags(cmd)
	f := cmd.Flags()
	f.StringVar(&c.question.From, "from", "", "who connects: namespace/name of a pod or workload, or an address")
	f.StringVar(&c.question.To, "to", "", "to whom: namespace/name of a pod or workload, or an address")
	f.StringVar(&c.port, "port", "", "the destination's port: a number, or the name of one of its container ports")
	f.StringVar(&c.question.Protocol, "protocol", "TCP", "TCP, UDP, SCTP, ICMP, ICMPv6, UDPLite or a number")
	f.BoolVar(&c.question.Explain, "explain", false, "tell the way to the answer: every tier, policy and rule that was asked, in order, and why it did or did not match")
	f.StringVar(&c.queries, "queries", "", "file of questions, one JSON object a line; - for standard input")
	return cmd
}

// asker answers questions: from manifests, or by asking a recommender.
type asker func(context.Context, question.Question) (question.Answer, error)

func (c *check) run(ctx context.Context, env *Env, cmd *cobra.Command) error {
	if err := c.known(); err != nil {
		return err
	}
	single := cmd.Flags().Changed("from") || cmd.Flags().Changed("to") || cmd.Flags().Changed("port")
	switch {
	case c.queries != "" && single:
		return errors.New("give --queries, or one question with --from, --to and --port, not both")
	case c.queries == "" && !single:
		return errors.New("what is the question? Give --from, --to and --port, or --queries")
	}
	ask, err := c.asker(env)
	if err != nil {
		return err
	}
	if c.queries != "" {
		return c.answerAll(ctx, env, ask)
	}
	c.question.Port = question.Port(c.port)
	a, err := ask(ctx, c.question)
	if err != nil {
		return err
	}
	if err := c.print(env.Stdout, a, func(w io.Writer) error { return writeAnswer(w, c.question, a) }); err != nil {
		return err
	}
	return c.on(kindsOf(a)...)
}

func (c *check) asker(env *Env) (asker, error) {
	if len(c.manifests) == 0 {
		if err := c.filesOnly(); err != nil {
			return nil, err
		}
		client, err := c.client(env)
		if err != nil {
			return nil, err
		}
		return func(ctx context.Context, q question.Question) (question.Answer, error) {
			var a question.Answer
			return a, client.post(ctx, "/api/v1/check", q, &a)
		}, nil
	}
	s, engine, err := c.load(env)
	if err != nil {
		return nil, err
	}
	j := question.NewJudge(s, engine)
	return func(_ context.Context, q question.Question) (question.Answer, error) { return j.Ask(q) }, nil
}

func kindsOf(a question.Answer) []string {
	var kinds []string
	if !a.Allowed {
		kinds = append(kinds, "denied")
	}
	if len(a.Uncertain) > 0 {
		kinds = append(kinds, "uncertain")
	}
	return kinds
}

func writeAnswer(w io.Writer, q question.Question, a question.Answer) error {
	var b strings.Builder
	word := map[bool]string{true: "allowed", false: "denied"}
	port := q.Protocol
	if q.Port != "" {
		port += " " + string(q.Port)
	}
	fmt.Fprintf(&b, "%s  %s → %s %s\n", strings.ToUpper(word[a.Allowed]), q.From, q.To, port)
	if a.Trail != nil {
		writeTrail(&b, q, a)
		_, err := io.WriteString(w, b.String())
		return err
	}
	for _, side := range []struct {
		name string
		side analyze.Side
	}{{"egress", a.Egress}, {"ingress", a.Ingress}} {
		fmt.Fprintf(&b, "  %-8s %s\n", side.name, word[side.side.Allowed])
		for _, s := range side.side.Why {
			fmt.Fprintf(&b, "           %s%s\n", s.Text, at(s.File, s.Line))
		}
	}
	if !a.Allowed {
		writeChanges(&b, a)
	}
	for _, u := range a.Uncertain {
		fmt.Fprintf(&b, "  uncertain: %s\n", u)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func at(file string, line int) string {
	switch {
	case file == "":
		return ""
	case line == 0:
		return "  (" + file + ")"
	}
	return fmt.Sprintf("  (%s:%d)", file, line)
}

// maxQuery bounds a line of a query file.
const maxQuery = 1 << 20

// answerAll answers a query file line by line.
func (c *check) answerAll(ctx context.Context, env *Env, ask asker) error {
	in, name, err := open(env, c.queries)
	if err != nil {
		return fmt.Errorf("reading queries: %w", err)
	}
	defer in.Close()
	out := bufio.NewWriter(env.Stdout)
	scan := bufio.NewScanner(in)
	scan.Buffer(nil, maxQuery)
	enc := json.NewEncoder(out)
	enc.SetEscapeHTML(false)
	bad := false
	var found []string
	for line := 1; scan.Scan(); line++ {
		text := bytes.TrimSpace(scan.Bytes())
		if len(text) == 0 {
			continue
		}
		a, err := answerLine(ctx, ask, text)
		if err != nil {
			err = fmt.Errorf("%s:%d: %w", name, line, err)
			fmt.Fprintf(env.Stderr, "netcinch: error: %s\n", oneLine(err))
			bad = true
			err = enc.Encode(map[string]string{"error": oneLine(err)})
		} else {
			found = append(found, kindsOf(a)...)
			err = enc.Encode(a)
		}
		if err != nil {
			return fmt.Errorf("writing answers: %w", err)
		}
	}
	if err := scan.Err(); err != nil {
		return fmt.Errorf("reading queries: %s: %w", name, err)
	}
	if err := out.Flush(); err != nil {
		return fmt.Errorf("writing answers: %w", err)
	}
	if bad {
		return errSaid
	}
	return c.on(found...)
}

func answerLine(ctx context.Context, ask asker, text []byte) (question.Answer, error) {
	q, err := question.Parse(text)
	if err != nil {
		return question.Answer{}, err
	}
	return ask(ctx, q)
}
