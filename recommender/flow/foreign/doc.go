// SPDX-License-Identifier: Apache-2.0

// Package foreign reads the flow logs of other tools and turns them into flow
// records: Hubble's JSON (hubble observe -o jsonpb), Calico's flow logs (what
// Goldmane and Whisker give, and the files that Felix writes) and NetObserv's
// JSON.
//
// Its words: an event is one entry of a log; a sighting is what an event says
// about one connection, or about several between the same ends, at one of the
// two ends; sightings are folded to windows of time. What an event says and
// this package has no use for is known and passed over; a field that the
// published formats do not have is counted by its name; an event that cannot
// be an edge is left out and counted with the reason.
//
// It reads line by line with bounded memory, and is pure but for the reader.
package foreign
