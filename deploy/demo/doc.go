// SPDX-License-Identifier: Apache-2.0

// Command demo shows Netcinch at work on one machine: a small online shop of
// real processes in network namespaces, the agent on its node, the recommender
// and its page. Everything that it makes is gone when it ends.
package main
