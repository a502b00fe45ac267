// SPDX-License-Identifier: Apache-2.0

// Package export brings batches to the recommender, each exactly once in
// effect: a batch gets its name (epoch, sequence) and goes to the spool before
// it is first sent, and leaves the spool when the recommender says that it is
// durable there. A retry, also after a restart, carries the same name and is
// stored once.
//
// The spool is a directory of one file a batch, bounded in bytes. An epoch is
// one unbroken run of sequence numbers; it is new whenever the spool starts
// empty. What is thrown away (the spool overflows, a file is damaged, the
// recommender refuses a batch for good) is counted, and the losses that such a
// batch reported travel with the next one.
package export
