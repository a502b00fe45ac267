// SPDX-License-Identifier: Apache-2.0

package api

import (
	"slices"

	"github.com/gorilla/mux"
)

// Routes gives the templates of all routes, sorted.
func (s *Server) Routes() []string {
	var paths []string
	_ = s.router.(*mux.Router).Walk(func(route *mux.Route, _ *mux.Router, _ []*mux.Route) error {
		if path, err := route.GetPathTemplate(); err == nil && route.GetHandler() != nil {
			paths = append(paths, path)
		}
		return nil
	})
	slices.Sort(paths)
	return slices.Compact(paths)
}

// ID is what a stream sends with the event of a number.
func (h *Hub) ID(n uint64) string { return h.id(n) }
