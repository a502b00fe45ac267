// SPDX-License-Identifier: Apache-2.0

// Package app is the recommender in one piece: it opens the sources, the
// store, the ingest port and the page's port, and keeps the view of the
// cluster current.
//
// Its words: a source gives snapshots (a watched folder, or an API server) or
// records (agents, or a flow file); a view is what everything together says at
// one moment: the policies compiled, the report and the recommendations. Views
// are computed off the request path, one at a time.
package app
