// SPDX-License-Identifier: Apache-2.0

// Netcinch-load measures what the recommender's ingest and store hold: it
// speaks the real wire as many agents at once, over TLS, to the real handler on
// the real embedded store, which run in a process of their own so that their
// CPU and memory are theirs alone.
//
//	go run ./deploy/load                      500 nodes for 10 minutes, a batch each every 30 s
//	go run ./deploy/load -peak -for 30s       as fast as batches are acknowledged
//	go run ./deploy/load -history 30          the same, on 30 days of history, with queries beside
//
// The fleet: each node runs 30 pods, each pod talks to 20 peers, of which its
// workload's other two pods share 10. So 500 nodes make 300,000 pod edges and
// 200,000 workload edges in each window.
package main
