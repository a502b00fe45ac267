// SPDX-License-Identifier: Apache-2.0

package flow

import "testing"

// FuzzParseProtocol: what is read prints as something that reads the same.
func FuzzParseProtocol(f *testing.F) {
	for _, seed := range []string{"TCP", "udp", "IcmpV6", "47", "0", "256", "-1", "+6", "06", "UDPLite", ""} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		p, err := ParseProtocol(text)
		if err != nil {
			return
		}
		if again, err := ParseProtocol(p.String()); err != nil || again != p || p == 0 {
			t.Errorf("%q is %d, printed %q, read again %d, %v", text, p, p, again, err)
		}
	})
}
