// SPDX-License-Identifier: Apache-2.0

//go:build linux

package owner

import "strings"

const (
	containerLength = 64 // hexadecimal digits
	uidLength       = 36 // of a pod: a UUID
)

// containerOf reads a container's id out of the name of its control group:
// the id itself, or RUNTIME-ID.scope where systemd manages groups.
func containerOf(group string) string {
	name := strings.TrimSuffix(group, ".scope")
	if len(name) < containerLength {
		return ""
	}
	before, id := name[:len(name)-containerLength], name[len(name)-containerLength:]
	if before != "" && !strings.HasSuffix(before, "-") {
		return ""
	}
	for _, c := range []byte(id) {
		if (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return ""
		}
	}
	return id
}

// podOf reads a pod's UID out of the name of its control group: podUID, or
// kubepods-CLASS-podUID.slice with underscores where systemd manages groups.
// A static pod's UID is a hash without dashes.
func podOf(group string) string {
	name, isSlice := strings.CutSuffix(group, ".slice")
	at := strings.LastIndex(name, "pod")
	if at < 0 || (at > 0 && (!isSlice || name[at-1] != '-')) {
		return ""
	}
	uid := name[at+len("pod"):]
	if isSlice {
		uid = strings.ReplaceAll(uid, "_", "-")
	}
	for i, c := range []byte(uid) {
		dash := len(uid) == uidLength && (i == 8 || i == 13 || i == 18 || i == 23)
		if dash != (c == '-') || (!dash && (c < '0' || c > '9') && (c < 'a' || c > 'f')) {
			return ""
		}
	}
	if len(uid) != uidLength && len(uid) != 32 {
		return ""
	}
	return uid
}
