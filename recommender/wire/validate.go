// SPDX-License-Identifier: Apache-2.0

package wire

import (
	"fmt"
	"time"
	"unicode/utf8"
)

// edgeFlags are all the bits that this version knows.
const edgeFlags = EdgeFlag_EDGE_FLAG_LOCAL_IS_CLIENT | EdgeFlag_EDGE_FLAG_GUESSED | EdgeFlag_EDGE_FLAG_SOURCE_REWRITTEN

// edgeMarks are all the marks that this version knows.
const edgeMarks = EdgeMark_EDGE_MARK_PROBE

// earliest is before any batch of this contract can have been made.
var earliest = time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC)

// Validate judges a batch by itself, without a clock and without the cluster.
// After it, [Batch.All] cannot fail. The error is an [*Error] of kind
// ErrVersion, ErrTooLarge, ErrMalformed or ErrImplausible.
func Validate(b *Batch) error {
	if b == nil {
		return malformed("batch", -1, "is missing")
	}
	if b.Version == 0 {
		return malformed("version", -1, "is missing")
	}
	if b.Version != Version {
		return &Error{
			Kind: ErrVersion, Column: "version", Index: -1,
			Detail: fmt.Sprintf("is %d, this recommender speaks %d", b.Version, Version),
		}
	}
	for _, check := range []func(*Batch) error{checkHeader, checkTables, checkPods, checkColumns, checkEdges, checkRest} {
		if err := check(b); err != nil {
			return err
		}
	}
	return nil
}

func checkHeader(b *Batch) error {
	for _, f := range []struct{ column, value string }{{"cluster", b.Cluster}, {"node", b.Node}, {"epoch", b.Epoch}} {
		if f.value == "" {
			return malformed(f.column, -1, "is empty")
		}
		if err := checkText(f.column, -1, f.value, MaxName); err != nil {
			return err
		}
	}
	if b.Sequence == 0 || b.Sequence > MaxCount {
		return malformed("sequence", -1, "is %d, want 1 to %d", b.Sequence, uint64(MaxCount))
	}
	if b.StartUnixNano < earliest.UnixNano() {
		return malformed("start_unix_nano", -1, "is %s, before %s", time.Unix(0, b.StartUnixNano).UTC().Format(time.RFC3339), earliest.Format(time.RFC3339))
	}
	if b.EndUnixNano <= b.StartUnixNano {
		return malformed("end_unix_nano", -1, "is not after the start")
	}
	if d := time.Duration(b.EndUnixNano - b.StartUnixNano); d > MaxWindow {
		return malformed("end_unix_nano", -1, "makes a window of %v, longer than %v", d, MaxWindow)
	}
	return nil
}

func checkTables(b *Batch) error {
	if err := checkTable("strings", len(b.Strings), MaxStrings); err != nil {
		return err
	}
	if b.Strings[0] != "" {
		return malformed("strings", 0, "is not empty")
	}
	for i, s := range b.Strings {
		if err := checkText("strings", i, s, MaxString); err != nil {
			return err
		}
	}
	if err := checkTable("addresses", len(b.Addresses), 3*MaxEdges+1); err != nil {
		return err
	}
	if len(b.Addresses[0]) != 0 {
		return malformed("addresses", 0, "is not empty")
	}
	for i, a := range b.Addresses[1:] {
		if len(a) != 4 && len(a) != 16 {
			return malformed("addresses", i+1, "has %d bytes, want 4 or 16", len(a))
		}
	}
	return nil
}

func checkTable(column string, n, limit int) error {
	if n == 0 {
		return malformed(column, -1, "is empty, entry 0 must be there")
	}
	if n > limit {
		return tooLarge(column, "has %d entries, at most %d", n, limit)
	}
	return nil
}

func checkText(column string, index int, s string, limit int) error {
	if len(s) > limit {
		return malformed(column, index, "has %d bytes, at most %d", len(s), limit)
	}
	if !utf8.ValidString(s) {
		return malformed(column, index, "is not UTF-8")
	}
	return nil
}

func checkPods(b *Batch) error {
	if err := checkTable("pods", len(b.Pods), MaxPods); err != nil {
		return err
	}
	if p := b.Pods[0]; p.GetNamespace() != 0 || p.GetName() != 0 || p.GetUid() != 0 {
		return malformed("pods", 0, "is not empty")
	}
	for i, p := range b.Pods[1:] {
		for _, f := range []struct {
			column   string
			value    uint32
			required bool
		}{{"pods.namespace", p.GetNamespace(), true}, {"pods.name", p.GetName(), true}, {"pods.uid", p.GetUid(), false}} {
			if int(f.value) >= len(b.Strings) {
				return malformed(f.column, i+1, "string %d of %d", f.value, len(b.Strings))
			}
			if f.required && f.value == 0 {
				return malformed(f.column, i+1, "is empty")
			}
			if err := checkText(f.column, i+1, b.Strings[f.value], MaxName); err != nil {
				return err
			}
		}
	}
	return nil
}

func checkRest(b *Batch) error {
	c, l := b.GetCoverage(), b.GetLosses()
	if c.GetPodsKnown() > MaxPods || c.GetPodsWatched() > MaxPods {
		return implausible("coverage", -1, "%d pods known and %d watched on one node, at most %d", c.GetPodsKnown(), c.GetPodsWatched(), MaxPods)
	}
	if err := checkText("coverage.attach_mode", -1, c.GetAttachMode(), MaxName); err != nil {
		return err
	}
	if n := len(c.GetMissing()); n > 100 {
		return tooLarge("coverage.missing", "has %d entries, at most 100", n)
	}
	for i, s := range c.GetMissing() {
		if err := checkText("coverage.missing", i, s, MaxName); err != nil {
			return err
		}
	}
	for _, f := range []struct {
		column string
		value  uint64
	}{
		{"map_full", l.GetMapFull()},
		{"ring_full", l.GetRingFull()},
		{"unattributed", l.GetUnattributed()},
		{"unparsed", l.GetUnparsed()},
		{"detached", l.GetDetached()},
		{"spool_overflow", l.GetSpoolOverflow()},
	} {
		if f.value > MaxCount {
			return implausible("losses."+f.column, -1, "is %d, at most %d", f.value, uint64(MaxCount))
		}
	}
	return nil
}
