// SPDX-License-Identifier: Apache-2.0

package manifest

import (
	"strings"
	"testing"
)

// What never ends is not read to its end, and what is as long as allowed is.
func TestReadBounded(t *testing.T) {
	for _, c := range []struct {
		text, want string
	}{{"1234", ""}, {"12345", "x gives more than the 4 bytes that are read"}} {
		text, err := readBounded(strings.NewReader(c.text), "x", 0, 4)
		if c.want == "" && (err != nil || string(text) != c.text) {
			t.Errorf("%s: %q, %v", c.text, text, err)
		}
		if c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s: %v, want %q", c.text, err, c.want)
		}
	}
}

// A device is refused before anything is read of it.
func TestDevice(t *testing.T) {
	for _, path := range []string{"/dev/null", "/dev/zero"} {
		if _, err := Load([]string{path}); err == nil || !strings.Contains(err.Error(), path+" is a device; give a file") {
			t.Errorf("%s: %v", path, err)
		}
	}
}
