// SPDX-License-Identifier: Apache-2.0

// Package api answers what the page and scripts ask over HTTP. The routes and
// every body are described in openapi.yaml, which a test holds them against.
//
// Its words: a view is what is known at one moment, computed elsewhere and
// only read here; a problem is an error as a body (RFC 9457); a session is the
// cookie that stands for the page's token; the hub hands events to the streams
// that listen.
package api

import _ "embed" // for Description

// Description is openapi.yaml.
//
//go:embed openapi.yaml
var Description []byte
