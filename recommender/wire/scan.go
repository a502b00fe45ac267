// SPDX-License-Identifier: Apache-2.0

package wire

import (
	"google.golang.org/protobuf/encoding/protowire"
)

// limit bounds a field of a message before it is decoded.
type limit struct {
	column  string
	entries int // times that the field may appear; 0 for any number
	bytes   int // sum over its appearances; 0 for any size
}

// Field numbers are those of wire.proto. A column may come in pieces, and an
// entry needs at most ten bytes.
var batchLimits = map[protowire.Number]limit{
	8:  {"strings", MaxStrings, 0},
	9:  {"addresses", 3*MaxEdges + 1, 0},
	10: {"pods", MaxPods, 0},
	11: {"edges", 1, 0},
	12: {"losses", 1, 1 << 10},
	13: {"coverage", 1, 64 << 10},
}

var columnLimits = func() map[protowire.Number]limit {
	limits := map[protowire.Number]limit{}
	for field := range protowire.Number(20) {
		limits[field] = limit{"edges", 0, 10 * MaxEdges}
	}
	return limits
}()

// scan bounds a batch without decoding it: a megabyte of empty entries would
// need many in memory.
func scan(raw []byte) error {
	return walk(raw, batchLimits, func(field protowire.Number, kind protowire.Type, value []byte) error {
		if field != 11 || kind != protowire.BytesType {
			return nil
		}
		columns, n := protowire.ConsumeBytes(value)
		if n < 0 {
			return malformed("edges", -1, "is cut: %v", protowire.ParseError(n))
		}
		return walk(columns, columnLimits, nil)
	})
}

func walk(raw []byte, limits map[protowire.Number]limit, visit func(protowire.Number, protowire.Type, []byte) error) error {
	entries, size := map[protowire.Number]int{}, map[protowire.Number]int{}
	for len(raw) > 0 {
		field, kind, n := protowire.ConsumeTag(raw)
		if n < 0 {
			return malformed("batch", -1, "is not protobuf: %v", protowire.ParseError(n))
		}
		length := protowire.ConsumeFieldValue(field, kind, raw[n:])
		if length < 0 {
			return malformed("batch", -1, "is cut in field %d: %v", field, protowire.ParseError(length))
		}
		value := raw[n : n+length]
		raw = raw[n+length:]
		l, ok := limits[field]
		if !ok {
			continue
		}
		entries[field]++
		size[field] += length
		if l.entries > 0 && entries[field] > l.entries {
			return tooLarge(l.column, "has more than %d entries", l.entries)
		}
		if l.bytes > 0 && size[field] > l.bytes {
			return tooLarge(l.column, "field %d has more than %d bytes", field, l.bytes)
		}
		if visit != nil {
			if err := visit(field, kind, value); err != nil {
				return err
			}
		}
	}
	return nil
}
