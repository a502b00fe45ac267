// SPDX-License-Identifier: Apache-2.0

// Package deliver tells alerts to the places that a file names, at least once
// each, whatever fails meanwhile.
//
// [New] reads the file and opens the queue; [Delivery.Notify] has alerts on disk
// before it returns; [Delivery.Run] works the queues off, one worker a sink, so
// that a slow or dead sink holds up no other. A sink that fails is tried again,
// with growing waits; what waits survives the process. A queue that is full
// drops its oldest alerts, counted. A sink that takes nothing for long is dead:
// the other sinks are told, as are the metrics and the API. The file may change
// at any time; one that is wrong changes nothing.
//
// The file is package config's, the queue's file package queue's, the protocols
// are package sink's.
package deliver
