// SPDX-License-Identifier: Apache-2.0

package quality

import (
	"fmt"
	"math/rand/v2"
)

// Topologies are the applications that are measured. Each reference counts
// what a person writes who groups the callers of a port into one ingress rule,
// the servers of one port into one egress rule, writes one egress rule for name
// resolution, and one for each outside port.
func Topologies() []Topology {
	return []Topology{Boutique(), Bank(), Social(), Pipeline(), Mesh(), Monitoring()}
}

// monthly is a call that four weeks may well not see.
const monthly = 0.25

const client, client6 = "203.0.113.77", "2001:db8:77::1" // who comes in from outside

// Boutique is an online shop of eleven services.
func Boutique() Topology {
	b := topology("online boutique").ns("shop").deploy("frontend:8080", "cart:7070", "catalog:3550", "currency:7000", "payment:50051", "shipping:50051", "email:8080", "checkout:5050", "recommendation:8080", "ad:9555").
		add("StatefulSet", "redis", 1, 6379)
	b.calls(client, "frontend").rarely(30, client6, "frontend").
		calls("frontend", "cart", "catalog", "currency", "shipping", "checkout", "recommendation", "ad").
		calls("checkout", "cart", "catalog", "currency", "payment", "shipping").rarely(3, "checkout", "email").
		calls("recommendation", "catalog").calls("cart", "redis").
		calls("payment", "198.51.100.10:443 api.pay.example").rarely(2, "currency", "[2001:db8::20]:443 rates.example").
		rarely(4, "email", "198.51.100.30:587 smtp.example").atStart("ad", "catalog").rarely(monthly, "checkout", "ad")
	return b.done(39, "ingress: 11 workloads and name resolution, one port each (12); egress: frontend 7, checkout 6 (payment and shipping share a port), recommendation, cart, payment, currency, email and ad 1 each (19); name resolution for 8 callers")
}

// Bank has accounts, ledgers and two databases in a namespace of their own.
func Bank() Topology {
	b := topology("bank").ns("data").add("StatefulSet", "accounts-db", 1, 5432).add("StatefulSet", "ledger-db", 1, 5432).
		ns("bank").deploy("frontend:8080", "userservice:8081", "contacts:8082", "ledgerwriter:8083", "balancereader:8084", "history:8085", "fraud:8086")
	b.calls(client, "frontend").calls("frontend", "userservice", "contacts", "ledgerwriter", "balancereader", "history").
		calls("userservice", "data/accounts-db").calls("contacts", "data/accounts-db").
		calls("ledgerwriter", "data/ledger-db", "balancereader", "fraud").calls("balancereader", "data/ledger-db").calls("history", "data/ledger-db").
		rarely(5, "fraud", "data/accounts-db", "198.51.100.40:443 screening.example").atStart("ledgerwriter", "userservice").rarely(monthly, "history", "data/accounts-db").
		ns("data").cron("backup", "30 2 * * *").scheduled("backup", "accounts-db", "ledger-db", "198.51.100.50:443 objects.example")
	return b.done(35, "ingress: 9 workloads and name resolution, one port each (10); egress: frontend 5, userservice 1, contacts 1, ledgerwriter 4, balancereader 1, history 1, fraud 2, backup 2 (both databases share a port) (17); name resolution for 8 callers")
}

// Social is a social network whose services each have a cache and a store.
func Social() Topology {
	b := topology("social network").ns("social").deploy("gateway:8080", "compose:9090", "text:9091", "media:9092", "user:9093", "unique:9094", "url:9095", "mention:9096", "hometimeline:9097", "usertimeline:9098", "graph:9099", "posts:9100").
		add("StatefulSet", "posts-mongo", 1, 27017).add("StatefulSet", "user-mongo", 1, 27017).add("StatefulSet", "graph-mongo", 1, 27017).add("StatefulSet", "url-mongo", 1, 27017).
		add("StatefulSet", "posts-cache", 1, 11211).add("StatefulSet", "user-cache", 1, 11211).add("StatefulSet", "timeline-redis", 1, 6379).add("StatefulSet", "graph-redis", 1, 6379)
	b.calls(client, "gateway").calls("gateway", "compose", "hometimeline", "usertimeline", "user", "graph").rarely(6, "gateway", "media").
		calls("compose", "text", "media", "user", "unique", "posts", "usertimeline", "hometimeline").
		calls("text", "url", "mention").calls("mention", "user-mongo", "user-cache").calls("url", "url-mongo").
		calls("user", "user-mongo", "user-cache").calls("graph", "graph-mongo", "graph-redis").rarely(8, "graph", "user").
		calls("hometimeline", "timeline-redis", "posts", "graph").calls("usertimeline", "timeline-redis", "posts").
		calls("posts", "posts-mongo", "posts-cache").
		rarely(monthly, "media", "posts").rarely(monthly, "text", "user")
	return b.done(64, "ingress: 20 workloads and name resolution, one port each (21); egress: gateway 6, compose 7, text 3, media 1, mention 2, url 1, user 2, graph 3, hometimeline 3, usertimeline 2, posts 2 (32); name resolution for 11 callers")
}

// Pipeline is a data pipeline whose work is done by CronJobs.
func Pipeline() Topology {
	b := topology("data pipeline").ns("lake").add("StatefulSet", "kafka", 3, 9092).add("StatefulSet", "minio", 2, 9000).add("StatefulSet", "warehouse", 1, 5432).deploy("registry:8081", "connect:8083", "catalog:8181").
		ns("etl").deploy("ingest:8080", "stream").cron("extract", "0 */6 * * *").cron("transform", "30 3 * * *").cron("report", "0 5 * * 1").cron("vacuum", "15 4 * * 0")
	b.ns("etl").calls(client, "ingest").calls("ingest", "lake/kafka", "lake/registry").calls("stream", "lake/kafka", "lake/registry", "lake/minio").
		ns("lake").calls("connect", "kafka", "registry", "minio").calls("kafka", "kafka").rarely(7, "catalog", "warehouse").atStart("connect", "catalog").rarely(monthly, "catalog", "minio").
		ns("etl").scheduled("extract", "198.51.100.60:443 partner.example", "lake/kafka", "lake/registry").scheduled("transform", "lake/minio", "lake/warehouse", "lake/catalog").
		scheduled("report", "lake/warehouse", "198.51.100.30:587 smtp.example").scheduled("vacuum", "lake/warehouse")
	return b.done(37, "ingress: 6 workloads that are called and name resolution, one port each (7); egress: ingest 2, stream 3, connect 4, kafka 1, catalog 2, extract 3, transform 3, report 2, vacuum 1 (21); name resolution for 9 callers")
}

// Mesh is an ingress gateway before 200 services that call each other.
func Mesh() Topology {
	const services = 200
	dice := rand.New(rand.NewPCG(200, 1)) //nolint:gosec // a simulation wants the same dice each time
	b := topology("mesh of 200").ns("edge").deploy("gateway:8443")
	name := func(i int) string { return fmt.Sprintf("mesh%d/s%03d", i%4, i) }
	for i := range services {
		b.ns(fmt.Sprintf("mesh%d", i%4)).deploy(fmt.Sprintf("s%03d:8080", i))
	}
	b.ns("edge").calls(client, "gateway")
	for i := range services {
		if i < 10 {
			b.calls("gateway", name(i))
		}
		called := map[int]bool{}
		for range dice.IntN(4) { // to services behind it, so that there is no circle
			if to := i + 1 + dice.IntN(services/4); to < services && !called[to] {
				called[to] = true
				if dice.IntN(12) == 0 {
					b.rarely([]float64{monthly, 2, 7}[dice.IntN(3)], name(i), name(to))
				} else {
					b.calls(name(i), name(to))
				}
			}
		}
	}
	for i := 1; i < services; i++ { // nobody is left uncalled
		b.calls(name(i/2), name(i))
	}
	t := b.done(0, "counted by program, since the topology is generated, too: one rule for each workload, direction and port")
	t.Reference = t.counted()
	return t
}

// counted is how many rules there are when each workload has one for each
// direction and port.
func (t *Topology) counted() int {
	type rule struct {
		who    string
		egress bool
		port   uint16
	}
	rules := map[rule]bool{}
	for _, c := range t.Calls {
		if _, ok := outside(c.To); !ok {
			rules[rule{who: c.To, port: c.Port}] = true
		}
		if _, ok := outside(c.From); !ok {
			rules[rule{who: c.From, egress: true, port: c.Port}] = true
		}
	}
	return len(rules)
}

// Monitoring is a monitoring stack that scrapes an application.
func Monitoring() Topology {
	b := topology("monitoring stack").ns("app").deploy("web:8080", "api:8081", "worker:8082").add("StatefulSet", "db", 1, 5432).
		ns("monitoring").add("StatefulSet", "prometheus", 2, 9090).add("StatefulSet", "alertmanager", 3, 9093).deploy("grafana:3000", "kube-state:8080", "blackbox:9115").add("DaemonSet", "collector", 3, 4317).add("StatefulSet", "loki", 1, 3100)
	b.ns("app").calls(client, "web").calls("web", "api").calls("api", "db").rarely(10, "worker", "db").
		ns("monitoring").calls("prometheus", "app/web:9102", "app/api:9102", "app/worker:9102", "kube-state", "blackbox", "alertmanager").
		calls("grafana", "prometheus", "loki").calls(client, "grafana").calls("collector", "loki").calls("blackbox", "app/web").
		rarely(4, "alertmanager", "198.51.100.70:443 hooks.example").calls("alertmanager", "alertmanager:9094").rarely(monthly, "grafana", "alertmanager").
		ns("app").calls("web", "monitoring/collector").calls("api", "monitoring/collector").rarely(5, "worker", "monitoring/collector")
	return b.done(40, "ingress: web, api and alertmanager 2 each, worker, db, prometheus, grafana, kube-state, blackbox, collector, loki and name resolution 1 each (15); egress: web 2, api 2, worker 2, prometheus 4, grafana 3, collector 1, blackbox 1, alertmanager 2 (17); name resolution for 8 callers")
}
