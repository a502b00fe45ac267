// SPDX-License-Identifier: Apache-2.0

// Package sink speaks the protocols that alerts are told in: one file each for
// Alertmanager, CloudEvents webhooks, Slack's webhooks, Kubernetes Events,
// syslog and lines of JSON.
//
// A sink tells a few messages and says whether they arrived. Its error is a
// [RefusedError] where a repetition would be refused, too; any other error is
// of the moment, and carries how long to wait where the server said so
// ([WaitOf]). Sinks keep nothing between calls: the queue is the caller's. What
// they say of an error names the server, and never a secret: no path and query
// of an address, no header.
package sink
