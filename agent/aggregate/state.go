// SPDX-License-Identifier: Apache-2.0

//go:build linux

package aggregate

import (
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"github.com/netcinch/netcinch/agent/capture"
	"github.com/netcinch/netcinch/agent/owner"
	"github.com/netcinch/netcinch/recommender/wire"
)

// The state of an aggregator is what it holds of windows that are not emitted:
//
//	version, 1 byte
//	the open window
//	number of edges, and each with its counts: of the open window
//	number of edges, and each with its window and counts: waiting for their pod
//	number of names, and each with its slot, address and when it expires
//
// Numbers are varints, times nanoseconds since 1970, strings follow their
// length. It is read by the same version of the agent, or not at all.
const stateVersion = 3

// ErrState says that a state is not what State gave.
var ErrState = errors.New("not a state of the aggregator")

// AppendState appends all that is not emitted yet. It changes nothing.
func (a *Aggregator) AppendState(b []byte) []byte {
	b = append(b, stateVersion)
	b = appendWindow(b, a.window)
	b = binary.AppendUvarint(b, uint64(len(a.edges)))
	for k, c := range a.edges {
		b = appendCounts(appendKey(b, k), c)
	}
	b = binary.AppendUvarint(b, uint64(len(a.waiting)))
	for _, w := range a.waiting {
		b = appendCounts(appendKey(appendWindow(b, w.window), w.key), w.counts)
	}
	return a.names.appendState(b)
}

func appendWindow(b []byte, w Window) []byte {
	return binary.AppendVarint(binary.AppendVarint(b, w.Start.UnixNano()), w.End.UnixNano())
}

func appendText(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

func appendKey(b []byte, k edgeKey) []byte {
	b = append(b, k.local[:]...)
	b = append(b, k.remote[:]...)
	b = append(b, k.dialled[:]...)
	for _, s := range []string{k.dns.String(), k.reason.String(), k.program.Path(), k.program.Container(), k.program.PodUID()} {
		b = appendText(b, s)
	}
	b = binary.AppendUvarint(b, uint64(k.slot))
	b = binary.BigEndian.AppendUint16(b, k.dialledPort)
	b = binary.BigEndian.AppendUint16(b, k.port)
	return append(b, k.protocol, k.flags, byte(k.outcome))
}

func appendCounts(b []byte, c wire.Counts) []byte {
	for _, n := range []uint64{c.Connections, c.BytesSent, c.BytesReceived, c.PacketsSent, c.PacketsReceived} {
		b = binary.AppendUvarint(b, n)
	}
	return b
}

// Restore takes in what another aggregator held. It says which window is open
// then; on an error nothing is taken in.
func (a *Aggregator) Restore(state []byte) (Window, error) {
	r := stateReader{rest: state}
	if r.byte() != stateVersion {
		return Window{}, fmt.Errorf("%w: it has another version", ErrState)
	}
	open := r.window()
	edges := make(map[edgeKey]wire.Counts)
	for range r.count() {
		k := r.key()
		edges[k] = add(edges[k], r.counts())
	}
	var wait []waiting
	for range r.count() {
		wait = append(wait, waiting{r.window(), r.key(), r.counts()})
	}
	names := r.names()
	if r.failed || len(r.rest) > 0 {
		return Window{}, fmt.Errorf("%w: it is cut short or too long", ErrState)
	}
	a.window, a.edges, a.waiting = open, edges, wait
	a.names.restore(names)
	return open, nil
}

// stateReader reads until it fails, and then gives zeros.
type stateReader struct {
	rest   []byte
	failed bool
}

func (r *stateReader) take(n int) []byte {
	if r.failed || n < 0 || n > len(r.rest) {
		r.failed = true
		return nil
	}
	b := r.rest[:n]
	r.rest = r.rest[n:]
	return b
}

func (r *stateReader) byte() byte {
	if b := r.take(1); b != nil {
		return b[0]
	}
	return 0
}

func (r *stateReader) number() uint64 {
	n, size := binary.Uvarint(r.rest)
	if size <= 0 {
		r.failed = true
		return 0
	}
	r.take(size)
	return n
}

// count is of things that take more than a byte each.
func (r *stateReader) count() int {
	n := r.number()
	if n > uint64(len(r.rest)) {
		r.failed = true
		return 0
	}
	return int(n)
}

func (r *stateReader) time() time.Time {
	n, size := binary.Varint(r.rest)
	if size <= 0 {
		r.failed = true
		return time.Time{}
	}
	r.take(size)
	return time.Unix(0, n)
}

func (r *stateReader) names() map[nameKey]name {
	all := make(map[nameKey]name)
	for range r.count() {
		k := nameKey{slot: capture.Slot(r.number())}
		var address [16]byte
		copy(address[:], r.take(len(address)))
		k.address = unfold(address)
		all[k] = name{makeText(r.text()), r.time()}
	}
	return all
}

func (r *stateReader) window() Window { return Window{Start: r.time(), End: r.time()} }

func (r *stateReader) text() string { return string(r.take(r.count())) }

func (r *stateReader) port() uint16 {
	if b := r.take(2); b != nil {
		return binary.BigEndian.Uint16(b)
	}
	return 0
}

func (r *stateReader) key() edgeKey {
	var k edgeKey
	for _, address := range []*[16]byte{&k.local, &k.remote, &k.dialled} {
		copy(address[:], r.take(len(address)))
	}
	k.dns, k.reason = makeText(r.text()), makeText(r.text())
	if path, container, pod := r.text(), r.text(), r.text(); path != "" || container != "" || pod != "" {
		k.program = owner.NewProgram(path, container, pod)
	}
	k.slot = capture.Slot(r.number())
	k.dialledPort, k.port = r.port(), r.port()
	k.protocol, k.flags, k.outcome = r.byte(), r.byte(), wire.Outcome(r.byte())
	return k
}

func (r *stateReader) counts() wire.Counts {
	return wire.Counts{
		Connections: r.number(), BytesSent: r.number(), BytesReceived: r.number(), PacketsSent: r.number(), PacketsReceived: r.number(),
	}
}
