// SPDX-License-Identifier: Apache-2.0

package jsonl

import (
	"math"
	"slices"
)

// fast reads lines as a Writer writes them: known fields, each once, plain
// strings, whole numbers. For anything else it gives up, and encoding/json,
// ten times slower, has the word; the two agree on whatever fast accepts.
type fast struct {
	text    []byte
	at      int
	failed  bool
	strings map[string]string // repeated ones share their memory
}

// maxShared bounds the strings that are shared; a cluster has fewer names.
const maxShared = 1 << 16

func (r *Reader) parseFast(text []byte, l *line) bool {
	f := fast{text: text, strings: r.shared}
	f.object(func(key string) { f.field(l, key) })
	return !f.failed && f.at == len(f.text)
}

func (f *fast) field(l *line, key string) {
	switch key {
	case "schema":
		l.Schema = f.text1()
	case "start":
		l.Start = f.text1()
	case "end":
		l.End = f.text1()
	case "client":
		l.Client = f.endpoint()
	case "server":
		l.Server = f.endpoint()
	case "protocol":
		l.Protocol = f.text1()
	case "port":
		port := uint16(f.number(math.MaxUint16)) //nolint:gosec // number keeps to the bound
		l.Port = &port
	case "outcome":
		l.Outcome = f.text1()
	case "reason":
		l.Reason = f.text1()
	case "service":
		l.Service = f.text1()
	case "guessed":
		l.Guessed = f.truth()
	case "probe":
		l.Probe = f.truth()
	case "countedAt":
		l.CountedAt = f.text1()
	case "atServer":
		l.AtServer = &counters{}
		f.object(func(key string) { f.counter(l.AtServer, key) })
	default:
		f.counter(&l.counters, key)
	}
}

func (f *fast) counter(c *counters, key string) {
	switch key {
	case "connections":
		c.Connections = f.number(math.MaxUint64)
	case "bytesSent":
		c.BytesSent = f.number(math.MaxUint64)
	case "bytesReceived":
		c.BytesReceived = f.number(math.MaxUint64)
	case "packetsSent":
		c.PacketsSent = f.number(math.MaxUint64)
	case "packetsReceived":
		c.PacketsReceived = f.number(math.MaxUint64)
	default:
		f.failed = true
	}
}

func (f *fast) endpoint() *endpoint {
	e := &endpoint{}
	f.object(func(key string) {
		switch key {
		case "namespace":
			e.Namespace = f.text1()
		case "pod":
			e.Pod = f.text1()
		case "workload":
			e.Workload = &workload{}
			f.object(func(key string) { f.workload(e.Workload, key) })
		case "ip":
			e.IP = f.text1()
		case "node":
			e.Node = f.text1()
		case "dns":
			e.DNS = f.text1()
		case "process":
			e.Process = f.text1()
		case "container":
			e.Container = f.text1()
		case "elsewhere":
			e.Elsewhere = f.text1()
		default:
			f.failed = true
		}
	})
	return e
}

func (f *fast) workload(w *workload, key string) {
	switch key {
	case "kind":
		w.Kind = f.text1()
	case "name":
		w.Name = f.text1()
	default:
		f.failed = true
	}
}

// maxFields is more than any object of a line has; it bounds what is compared
// to see a field that is given twice.
const maxFields = 24

// object reads {"key": value, …}; value reads the value of the key.
func (f *fast) object(value func(key string)) {
	if !f.next('{') {
		return
	}
	if f.peek() == '}' {
		f.at++
		return
	}
	var seen [maxFields]string
	for n := 0; ; n++ {
		key := f.text1()
		if f.failed || n >= maxFields || !f.next(':') {
			f.failed = true
			return
		}
		if slices.Contains(seen[:n], key) {
			f.failed = true
			return
		}
		seen[n] = key
		f.peek()
		value(key)
		if f.failed {
			return
		}
		if f.peek() == '}' {
			f.at++
			return
		}
		if !f.next(',') {
			return
		}
	}
}

// peek gives the next byte that is no space, 0 at the end.
func (f *fast) peek() byte {
	for f.at < len(f.text) {
		switch c := f.text[f.at]; c {
		case ' ', '\t', '\r', '\n':
			f.at++
		default:
			return c
		}
	}
	return 0
}

func (f *fast) next(want byte) bool {
	if f.peek() != want {
		f.failed = true
		return false
	}
	f.at++
	return true
}

// text1 reads a string of plain ASCII without escapes.
func (f *fast) text1() string {
	if !f.next('"') {
		return ""
	}
	start := f.at
	for f.at < len(f.text) {
		switch c := f.text[f.at]; {
		case c == '"':
			f.at++
			return f.share(f.text[start : f.at-1])
		case c < 0x20, c == '\\', c >= 0x80:
			f.failed = true
			return ""
		}
		f.at++
	}
	f.failed = true
	return ""
}

func (f *fast) share(text []byte) string {
	if s, ok := f.strings[string(text)]; ok {
		return s
	}
	s := string(text)
	if len(f.strings) < maxShared {
		f.strings[s] = s
	}
	return s
}

// number reads a whole number without sign, leading zero, point or exponent.
func (f *fast) number(limit uint64) uint64 {
	start := f.at
	var n uint64
	for f.at < len(f.text) && f.text[f.at] >= '0' && f.text[f.at] <= '9' {
		digit := uint64(f.text[f.at] - '0')
		if n > (limit-digit)/10 {
			f.failed = true
			return 0
		}
		n = n*10 + digit
		f.at++
	}
	leading := f.at-start > 1 && f.text[start] == '0'
	if f.at == start || leading || f.at < len(f.text) && !ends(f.text[f.at]) {
		f.failed = true
	}
	return n
}

// ends says whether a byte may follow a number.
func ends(c byte) bool {
	switch c {
	case ',', '}', ' ', '\t', '\r', '\n':
		return true
	}
	return false
}

func (f *fast) truth() bool {
	for word, value := range map[string]bool{"true": true, "false": false} {
		if len(f.text)-f.at >= len(word) && string(f.text[f.at:f.at+len(word)]) == word {
			f.at += len(word)
			return value
		}
	}
	f.failed = true
	return false
}
