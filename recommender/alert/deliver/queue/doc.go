// SPDX-License-Identifier: Apache-2.0

// Package queue keeps what is still to be told, on disk: for each sink its own
// bounded queue, in the order in which things happened.
//
// Its words: an item is one revision of one alert for one sink; a sink's active
// alerts are those that it was told of and that are not over, for sinks that
// have to be told again; a sink's record is what must outlive the process: how
// it fares and what it lost. Everything that a method took is on disk when the
// method returns; a process may be killed at any instant.
package queue
