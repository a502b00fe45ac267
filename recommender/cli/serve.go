// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/spf13/cobra"
	"k8s.io/klog/v2"

	"github.com/netcinch/netcinch/recommender/analyze"
	"github.com/netcinch/netcinch/recommender/app"
)

type serve struct {
	options  app.Options
	clusters []string
	level    string
	logJSON  bool
}

func newServe(env *Env) *cobra.Command {
	s := &serve{}
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Run the recommender: the page, the API and the agents' port",
		Long: `Serve runs the recommender. It takes in what agents send, holds it against the
policies in force, and shows the result as a page and an API.

The cluster's objects come from -f, files and folders that are read again when
they change, or else from an API server: that of --kubeconfig, of $KUBECONFIG or
~/.kube/config, or of the cluster that it runs in.

With --flows the traffic comes from flow files instead of agents: the same page,
on any machine, without cluster, root or agent.

The link that lets people in, with its token, is printed at the start.`,
		Example: `  # The page from files.
  netcinch serve -f manifests/ --flows flows.jsonl

  # One recommender for two clusters, each with a token of its own.
  netcinch serve --data-dir /var/lib/netcinch --cluster prod=prod.kubeconfig --cluster test=test/manifests

  # A recommender for agents, on this machine, that tells alerts.
  netcinch serve -f manifests/ --data-dir /var/lib/netcinch --learning 24h --alerts alerts.yaml`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return s.run(cmd.Context(), env) },
	}
	s.flags(cmd)
	return cmd
}

func (s *serve) flags(cmd *cobra.Command) {
	f, o := cmd.Flags(), &s.options
	f.StringArrayVarP(&o.Manifests, "filename", "f", nil, "manifests: a file, or a folder with all below it (repeatable); watched for changes")
	f.StringArrayVar(&o.Flows, "flows", nil, "flow file to show instead of taking in what agents send (repeatable)")
	f.StringVar(&o.Kubeconfig, "kubeconfig", "", "file to reach the API server with (default: the usual places)")
	f.StringVar(&o.Context, "context", "", "context of the kubeconfig (default: its current one)")
	f.StringVar(&o.DataDir, "data-dir", "", "folder to keep flows in; needed unless --flows is given")
	f.StringArrayVar(&s.clusters, "cluster", nil, "name of the cluster, as agents send it (default \"default\"); NAME=PATH adds one that reports here, too: its manifests, or its kubeconfig (repeatable)")
	f.StringVar(&o.Listen, "listen", app.DefaultListen, "address of the page and the API; port 0 takes a free one")
	f.StringArrayVar(&o.PageHosts, "page-host", nil, "further host name that the page is opened by, behind a proxy or a port-forward (repeatable)")
	f.StringVar(&o.IngestListen, "ingest-listen", app.DefaultIngestListen, "address that agents send to; port 0 takes a free one")
	f.StringVar(&o.TokenFile, "token-file", "", "file with the token that lets people in (default: one is made and printed)")
	f.StringVar(&o.AgentTokenFile, "agent-token-file", "", "file with the tokens that agents send, one a line, with cluster=NAME behind it where there are several (default: agent.token in the data folder, made where it is missing)")
	f.StringVar(&o.AgentAccount, "agent-service-account", "", "NAMESPACE/NAME of the agents' ServiceAccount: agents are known by its tokens, which the API server judges, instead of by those of --agent-token-file")
	f.StringVar(&o.People, "people", app.PeopleToken, "who lets people in: token (the one that is printed) or kubernetes (the API server judges their tokens, and what they may see)")
	f.StringVar(&o.Audience, "audience", app.DefaultAudience, "what tokens that the API server judges must be issued for")
	f.StringVar(&o.TLSCert, "tls-cert", "", "PEM certificate of the agents' port (default: one of a CA made in the data folder, ca.pem)")
	f.StringVar(&o.TLSKey, "tls-key", "", "PEM key of --tls-cert")
	f.StringArrayVar(&o.TLSNames, "tls-name", nil, "further name or address for the certificate that is made (repeatable)")
	policyFlags(cmd, &o.Policies)
	f.DurationVar(&o.Learning, "learning", analyze.DefaultLearning, "how long a workload is learnt before a new edge of it is unseen")
	f.DurationVar(&o.Retention, "retention", app.DefaultRetention, "how long flows are kept")
	f.StringVar(&o.AlertsFile, "alerts", "", "file that says where alerts are told: Alertmanager, webhooks, Slack, Kubernetes Events, syslog, standard output; read again when it changes and on SIGHUP (default: only the page shows them)")
	f.StringVar(&s.level, "log-level", "info", "debug, info, warn or error")
	f.BoolVar(&s.logJSON, "log-json", false, "log as JSON lines")
}

func (s *serve) logger(env *Env) (*slog.Logger, error) {
	var level slog.Level
	if err := level.UnmarshalText([]byte(s.level)); err != nil {
		return nil, fmt.Errorf("--log-level %q: want debug, info, warn or error", s.level)
	}
	options := &slog.HandlerOptions{Level: level}
	if s.logJSON {
		return slog.New(slog.NewJSONHandler(env.Stderr, options)), nil
	}
	return slog.New(slog.NewTextHandler(env.Stderr, options)), nil
}

func (s *serve) run(ctx context.Context, env *Env) error {
	log, err := s.logger(env)
	if err != nil {
		return err
	}
	klog.SetSlogLogger(log) // what client-go has to say
	o := s.options
	if err = setClusters(&o, s.clusters); err != nil {
		return err
	}
	o.Now, o.Log, o.Release, o.Stdout = env.Now, log, env.Version, env.Stdout
	a, err := app.New(o)
	if err != nil {
		return err
	}
	if o.AlertsFile != "" {
		defer onHangup(ctx, func() { _ = a.ReloadAlerts(ctx) })() // it logs what is wrong
	}
	page := a.PageURL()
	if o.TokenFile != "" {
		page = a.PageAddress() // who wrote the file knows the token
	}
	fmt.Fprintf(env.Stdout, "Page:   %s\n", page)
	if url := a.IngestURL(); url != "" {
		fmt.Fprintf(env.Stdout, "Agents: %s\n", url)
	}
	if err := a.Run(ctx); err != nil {
		return internal(err)
	}
	return nil
}
