// SPDX-License-Identifier: Apache-2.0

package signature_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/netcinch/netcinch/recommender/alert/deliver/signature"
)

var (
	at   = time.Unix(1772668800, 0)
	body = []byte(`{"a":1}`)
	key  = []byte("a key")
)

// The header is what the documentation says, computed by hand.
func TestForm(t *testing.T) {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(`1772668800.{"a":1}`))
	want := "t=1772668800,v1=" + hex.EncodeToString(h.Sum(nil))
	if got := signature.Sign(at, body, key); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestVerify(t *testing.T) {
	good := signature.Sign(at, body, key)
	both := signature.Sign(at, body, []byte("another"), key)
	for _, tt := range []struct {
		name, header string
		body, key    []byte
		now          time.Time
		want         error
	}{
		{"good", good, body, key, at, nil},
		{"late, within the tolerance", good, body, key, at.Add(4 * time.Minute), nil},
		{"a key that is being replaced", both, body, key, at, nil},
		{"blanks", strings.ReplaceAll(good, ",", ", "), body, key, at, nil},
		{"later parts are passed over", good + ",v2=x", body, key, at, nil},
		{"too late", good, body, key, at.Add(6 * time.Minute), signature.ErrStale},
		{"of the future", good, body, key, at.Add(-6 * time.Minute), signature.ErrStale},
		{"another body", good, []byte(`{"a":2}`), key, at, signature.ErrWrong},
		{"another key", good, body, []byte("b"), at, signature.ErrWrong},
		{"another time", strings.Replace(good, "t=1772668800", "t=1772668801", 1), body, key, at, signature.ErrWrong},
		{"empty", "", body, key, at, signature.ErrMalformed},
		{"no time", "v1=" + strings.Repeat("0", 64), body, key, at, signature.ErrMalformed},
		{"no number", "t=x,v1=" + strings.Repeat("0", 64), body, key, at, signature.ErrMalformed},
		{"no hex", "t=1,v1=zz", body, key, at, signature.ErrMalformed},
		{"short", "t=1,v1=00", body, key, at, signature.ErrMalformed},
		{"many", "t=1" + strings.Repeat(",v1="+strings.Repeat("0", 64), 9), body, key, at, signature.ErrMalformed},
	} {
		if err := signature.Verify(tt.header, tt.body, tt.key, tt.now, 0); !errors.Is(err, tt.want) {
			t.Errorf("%s: %v, want %v", tt.name, err, tt.want)
		}
	}
}

func FuzzVerify(f *testing.F) {
	f.Add(signature.Sign(at, body, key), body)
	f.Add("t=1,v1=", []byte{})
	f.Fuzz(func(t *testing.T, header string, text []byte) {
		err := signature.Verify(header, text, key, at, 0)
		if err == nil && signature.Verify(header, append(text, 'x'), key, at, 0) == nil {
			t.Error("a changed body verifies")
		}
		if err := signature.Verify(signature.Sign(at, text, key), text, key, at, 0); err != nil {
			t.Errorf("a good one does not verify: %v", err)
		}
	})
}
