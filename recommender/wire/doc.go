// SPDX-License-Identifier: Apache-2.0

// Package wire is the contract between agent and recommender: what a batch of
// edges looks like on the network, how it is built, read and judged.
//
// A batch is columns over three tables (strings, addresses, pods) that travel
// in the batch itself, so that any replica of the recommender can take any
// batch. An edge costs about 12 bytes on the network this way, against 55 for
// one message per edge. [Builder] makes a batch, [Encode] and [Decode] carry
// it, [Validate] judges it, [Batch.All] reads its edges as values.
package wire

//go:generate sh -c "protoc -I . --plugin=protoc-gen-go=$(go tool -n protoc-gen-go) --go_out=. --go_opt=paths=source_relative wire.proto"

import "time"

// Version is the version of this contract; its history is in wire.proto.
const Version = 1

// How a batch is posted.
const (
	Path            = "/v1/flows"
	ContentType     = "application/x-protobuf"
	ContentEncoding = "zstd"
	ProblemType     = "application/problem+json"
)

// Limits of one batch. They bound what a recommender spends on a batch that it
// has not judged yet; an agent splits a window that would exceed them.
const (
	MaxEncoded = 4 << 20  // bytes on the network
	MaxDecoded = 16 << 20 // bytes after decompression
	MaxEdges   = 50_000
	MaxPods    = 4_096     // pods of one node
	MaxStrings = 150_000   // entries of the string table
	MaxString  = 4_096     // bytes of one string (the longest: an executable's path)
	MaxName    = 253       // bytes of a cluster, node, epoch, namespace, pod or DNS name
	MaxWindow  = time.Hour // length of a window
)

// Limits of one edge's counts in one window: what a count can be at most
// without being a fault. A packet may be an aggregate of many (GSO, GRO).
const (
	MaxCount          = 1 << 50
	MaxBytesPerPacket = 1 << 20
)
