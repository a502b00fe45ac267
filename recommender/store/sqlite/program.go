// SPDX-License-Identifier: Apache-2.0

package sqlite

import (
	"time"

	"github.com/netcinch/netcinch/recommender/flow"
	"github.com/netcinch/netcinch/recommender/store"
)

// program is an executable at one end of an edge. The empty path stands for
// all those beyond store.MaxPrograms.
type program struct {
	server      bool // of the server's end, else of the client's
	path        string
	first, last int64 // as those of whatever it belongs to
}

// programsOf gives what one record knows.
func programsOf(e flow.Edge, first, last int64) (list []program) {
	if e.Client.Process != "" {
		list = append(list, program{false, e.Client.Process, first, last})
	}
	if e.Server.Process != "" {
		list = append(list, program{true, e.Server.Process, first, last})
	}
	return list
}

// addProgram sums into a list that holds at most store.MaxPrograms of each end
// and the one of the empty path.
func addProgram(list []program, p program) []program {
	others, more := 0, -1
	for i := range list {
		have := &list[i]
		switch {
		case have.server != p.server:
		case have.path == p.path:
			have.first, have.last = min(have.first, p.first), max(have.last, p.last)
			return list
		case have.path == "":
			more = i
		default:
			others++
		}
	}
	if p.path != "" && others >= store.MaxPrograms {
		if more >= 0 {
			have := &list[more]
			have.first, have.last = min(have.first, p.first), max(have.last, p.last)
			return list
		}
		p.path = ""
	}
	return append(list, p)
}

func addPrograms(list, more []program) []program {
	for _, p := range more {
		list = addProgram(list, p)
	}
	return list
}

// ends gives the programs of both ends; their times are Unix milliseconds.
func ends(list []program) (client, server store.Programs) {
	for _, p := range list {
		one := store.Program{Path: p.path, FirstSeen: time.UnixMilli(p.first).UTC(), LastSeen: time.UnixMilli(p.last).UTC()}
		if p.server {
			server = server.Add(one)
		} else {
			client = client.Add(one)
		}
	}
	return client, server
}
