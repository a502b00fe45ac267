// SPDX-License-Identifier: Apache-2.0

package wire

import "net/http"

// Problem is the body of every answer that is not an Ack (RFC 9457,
// application/problem+json).
type Problem struct {
	Type   string `json:"type"`   // "about:blank"
	Title  string `json:"title"`  // the status in words
	Status int    `json:"status"` // the HTTP status again
	Detail string `json:"detail"` // for people: what is wrong, where, and what to do
	Reason Reason `json:"reason"` // for programs and counters
}

// Reason says in one word why a batch was not stored.
type Reason string

// The reasons, with the status that each one comes with.
const (
	ReasonMalformed       Reason = "malformed"       // 400
	ReasonUnauthenticated Reason = "unauthenticated" // 401
	ReasonForbidden       Reason = "forbidden"       // 403: the token is not this node's
	ReasonMethod          Reason = "method"          // 405
	ReasonVersion         Reason = "version"         // 409: agent and recommender differ
	ReasonTooLarge        Reason = "too_large"       // 413
	ReasonMediaType       Reason = "media_type"      // 415
	ReasonFuture          Reason = "future"          // 422: the node's clock is ahead
	ReasonImplausible     Reason = "implausible"     // 422: counts that cannot be
	ReasonUnknownCluster  Reason = "unknown_cluster" // 422
	ReasonForeignPod      Reason = "foreign_pod"     // 422: a pod of another node
	ReasonBusy            Reason = "busy"            // 503: too many at once
	ReasonUnavailable     Reason = "unavailable"     // 503: the store cannot be reached
	ReasonFull            Reason = "store_full"      // 507
	ReasonTooOld          Reason = "too_old"         // 422: older than the store keeps
)

// Permanent says whether the same batch will be refused for ever: the agent
// counts it as lost and goes on. All else it keeps in its spool and retries.
func Permanent(status int) bool {
	switch status {
	case http.StatusBadRequest, http.StatusRequestEntityTooLarge, http.StatusUnsupportedMediaType, http.StatusUnprocessableEntity:
		return true
	default:
		return false
	}
}
