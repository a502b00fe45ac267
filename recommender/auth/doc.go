// SPDX-License-Identifier: Apache-2.0

// Package auth finds out who calls and what they may see, by asking the API
// server: a [Reviewer] says whose a bearer token is (TokenReview), [Access]
// says which namespaces that person may see and change (SubjectAccessReview).
// Answers are kept for a short while, never longer than the token is good for.
//
// Nothing here grants anything: what cannot be found out is an error, and
// whoever asks must refuse.
package auth
