// SPDX-License-Identifier: Apache-2.0

// Package install holds the tests of what is installed against a real API
// server: that it takes the manifests, that their rights are exactly those that
// are used, and that tokens of agents and people are what the recommender takes
// them for. They need no node.
package install
