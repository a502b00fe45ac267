// SPDX-License-Identifier: Apache-2.0

// Package signature signs what a webhook sends, and verifies it at the
// receiver's side. The header is
//
//	Netcinch-Signature: t=1772668800,v1=5257a869e7ec…
//
// t is when it was sent, in seconds since 1970; each v1 is the HMAC-SHA256, in
// hex, of the decimal t, a full stop, and the body as it was sent. There are two
// while a key is being replaced: one of them has to fit. The package imports
// only the standard library, for receivers written in Go to use.
package signature

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Header is the name of the header.
const Header = "Netcinch-Signature"

// DefaultTolerance is how far the clocks of sender and receiver may be apart,
// and how long a request may be on its way.
const DefaultTolerance = 5 * time.Minute

// The errors of Verify.
var (
	ErrMalformed = errors.New("no signature that is understood")
	ErrStale     = errors.New("signed too long ago, or in the future")
	ErrWrong     = errors.New("signed with another key, or changed on its way")
)

// Sign gives the header's value for a body, with one signature a key.
func Sign(at time.Time, body []byte, keys ...[]byte) string {
	var b strings.Builder
	t := strconv.FormatInt(at.Unix(), 10)
	b.WriteString("t=" + t)
	for _, key := range keys {
		b.WriteString(",v1=" + hex.EncodeToString(sum(key, t, body)))
	}
	return b.String()
}

// Verify says whether one of the header's signatures is of this key, body and
// time. A tolerance of 0 means DefaultTolerance.
func Verify(header string, body, key []byte, now time.Time, tolerance time.Duration) error {
	if tolerance == 0 {
		tolerance = DefaultTolerance
	}
	t, signatures, err := parse(header)
	if err != nil {
		return err
	}
	seconds, err := strconv.ParseInt(t, 10, 64)
	if err != nil {
		return fmt.Errorf("%w: the time %q", ErrMalformed, t)
	}
	if away := now.Sub(time.Unix(seconds, 0)); away > tolerance || away < -tolerance {
		return ErrStale
	}
	want := sum(key, t, body)
	for _, s := range signatures {
		if hmac.Equal(s, want) {
			return nil
		}
	}
	return ErrWrong
}

// maxSignatures bounds how many are looked at.
const maxSignatures = 8

func parse(header string) (t string, signatures [][]byte, err error) {
	for part := range strings.SplitSeq(header, ",") {
		name, value, _ := strings.Cut(strings.TrimSpace(part), "=")
		switch name {
		case "t":
			t = value
		case "v1":
			s, err := hex.DecodeString(value)
			if err != nil || len(s) != sha256.Size || len(signatures) == maxSignatures {
				return "", nil, fmt.Errorf("%w: a wrong v1", ErrMalformed)
			}
			signatures = append(signatures, s)
		}
	}
	if t == "" || len(signatures) == 0 {
		return "", nil, fmt.Errorf("%w: want t=…,v1=…", ErrMalformed)
	}
	return t, signatures, nil
}

func sum(key []byte, t string, body []byte) []byte {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(t + "."))
	h.Write(body)
	return h.Sum(nil)
}
