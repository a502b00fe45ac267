// SPDX-License-Identifier: Apache-2.0

package export

import (
	"bytes"
	"errors"
	"testing"
)

// FuzzDecodeCommitment: a state file that reads is written the same.
func FuzzDecodeCommitment(f *testing.F) {
	f.Add(commitment{next: name{"epoch", 7}, bootID: "boot", state: []byte("state")}.encode())
	f.Add(commitment{}.encode())
	f.Add([]byte{0, 0, 0, 0, 0, 0, 0, 1, 255, 255})
	f.Fuzz(func(t *testing.T, body []byte) {
		c, err := decodeCommitment(body)
		if err != nil {
			if !errors.Is(err, ErrDamaged) {
				t.Errorf("%v is not ErrDamaged", err)
			}
			return
		}
		if !bytes.Equal(c.encode(), body) {
			t.Errorf("%x is written as %x", body, c.encode())
		}
	})
}
