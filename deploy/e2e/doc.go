// SPDX-License-Identifier: Apache-2.0

// Package e2e holds the tests of agent and recommender together: both as
// processes of their own, on real traffic of known counts between network
// namespaces that the tests make, with the recommender killed on the way.
package e2e
