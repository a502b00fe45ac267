// SPDX-License-Identifier: Apache-2.0

package app

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/netcinch/netcinch/recommender/auth"
	"github.com/netcinch/netcinch/recommender/ingest"
)

// judges are what the API server of the first cluster is asked through.
type judges struct {
	reviewer *auth.Reviewer
	access   *auth.Access
}

// What may be asked of the API server about tokens and rights, a second. A
// person with rights in single namespaces costs two questions for each there is.
const (
	judgeQPS   = 100
	judgeBurst = 400
)

// openJudges connects to the API server where agents or people are judged by it.
func (a *App) openJudges() error {
	o := a.options
	if o.AgentAccount == "" && o.People != PeopleKubernetes {
		return nil
	}
	config, err := clusterConfig(o, o.clusters()[0])
	if err != nil {
		return fmt.Errorf("--people %s and --agent-service-account need an API server: %w", PeopleKubernetes, err)
	}
	config = rest.CopyConfig(config)
	config.QPS, config.Burst = judgeQPS, judgeBurst
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return fmt.Errorf("connecting to the API server: %w", err)
	}
	a.judges = &judges{
		reviewer: auth.NewReviewer(client.AuthenticationV1().TokenReviews(), o.Now),
		access:   auth.NewAccess(client.AuthorizationV1().SubjectAccessReviews(), o.Now),
	}
	return nil
}

// agents says who may send batches.
func (a *App) agents() (ingest.Authenticator, error) {
	if a.options.AgentAccount == "" {
		return a.agentTokens()
	}
	namespace, name, _ := strings.Cut(a.options.AgentAccount, "/")
	first := a.members[0]
	accounts := &ingest.Accounts{
		Reviewer: a.judges.reviewer, Audience: a.options.Audience, Namespace: namespace, Name: name, Cluster: first.name,
		NodeOf: func(namespace, name, uid string) (string, bool) {
			pod, ok := first.history.Pod(namespace, name, uid)
			return pod.Node, ok
		},
	}
	if a.options.AgentTokenFile == "" {
		if len(a.members) > 1 {
			return nil, errors.New("starting the recommender: --agent-service-account is for the agents of the first cluster; give --agent-token-file with a token for those of each other one (TOKEN cluster=NAME)")
		}
		return accounts, nil
	}
	tokens, err := a.agentTokens()
	if err != nil {
		return nil, err
	}
	return ingest.AnyOf{tokens, accounts}, nil
}

// agentTokens reads the fixed tokens, and makes them where none were given.
func (a *App) agentTokens() (*ingest.Tokens, error) {
	path := a.options.AgentTokenFile
	if path == "" {
		path = filepath.Join(a.options.DataDir, "agent.token")
		if err := a.keptAgentTokens(path); err != nil {
			return nil, err
		}
	}
	tokens, err := ingest.ReadTokens(path)
	if err != nil {
		return nil, err
	}
	if err = tokens.CheckClusters(a.names()); err != nil {
		return nil, fmt.Errorf("reading the agents' tokens: %s: %w", path, err)
	}
	return tokens, nil
}
