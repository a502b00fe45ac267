// SPDX-License-Identifier: Apache-2.0

package auth

import (
	"encoding/base64"
	"encoding/json"
	"slices"
	"strings"
	"time"
)

// claims are what a token says of itself. Nobody has checked them: they may
// make an answer be kept for less long, and choose what the API server is
// asked, and nothing else.
type claims struct {
	expires   time.Time // zero where it does not say
	audiences []string
}

// maxClaims bounds what is decoded, in bytes of the token.
const maxClaims = 16 << 10

// claimsOf reads a JSON web token; of any other token nothing is known.
func claimsOf(token string) claims {
	parts := strings.Split(token, ".")
	if len(parts) != 3 || len(token) > maxClaims {
		return claims{}
	}
	text, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		return claims{}
	}
	var body struct {
		Expires  float64         `json:"exp"`
		Audience json.RawMessage `json:"aud"`
	}
	if json.Unmarshal(text, &body) != nil {
		return claims{}
	}
	var c claims
	if body.Expires > 0 && body.Expires < 1<<40 {
		c.expires = time.Unix(int64(body.Expires), 0)
	}
	c.audiences = audiencesOf(body.Audience)
	return c
}

// audiencesOf takes one text or a list of them.
func audiencesOf(raw json.RawMessage) []string {
	var one string
	if json.Unmarshal(raw, &one) == nil && one != "" {
		return []string{one}
	}
	var many []string
	if json.Unmarshal(raw, &many) != nil {
		return nil
	}
	return slices.DeleteFunc(many, func(a string) bool { return a == "" })
}
