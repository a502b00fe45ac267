// SPDX-License-Identifier: Apache-2.0

// Package rows is how the rows of one batch are kept as they came: a blob of
// columns over tables, compressed. It costs a tenth of a row in a table, and
// one insert a batch.
package rows

//go:generate sh -c "protoc -I . --plugin=protoc-gen-go=$(go tool -n protoc-gen-go) --go_out=. --go_opt=paths=source_relative rows.proto"

import (
	"errors"
	"fmt"
	"net/netip"

	"github.com/klauspost/compress/zstd"
	"google.golang.org/protobuf/proto"

	"github.com/netcinch/netcinch/recommender/flow"
)

// maxSize bounds a blob that is read back.
const maxSize = 256 << 20

// errDamaged says that a blob is none that Encode made.
var errDamaged = errors.New("rows are damaged")

// Both are safe for concurrent use through EncodeAll and DecodeAll; made with
// the package, so that they belong to no test (testing/synctest).
var (
	encoder, encoderErr = zstd.NewWriter(nil, zstd.WithEncoderConcurrency(2), zstd.WithEncoderLevel(zstd.SpeedFastest))
	decoder, decoderErr = zstd.NewReader(nil, zstd.WithDecoderConcurrency(0), zstd.WithDecoderMaxMemory(maxSize))
)

// tables gives strings and endpoints their indexes.
type tables struct {
	rows      *Rows
	strings   map[string]uint32
	endpoints map[flow.Endpoint]uint32
}

// Encode packs records; their windows are not part of it.
func Encode(records []flow.Record) ([]byte, error) {
	n := len(records)
	column := func() []uint32 { return make([]uint32, 0, n) }
	t := tables{&Rows{
		Strings: []string{""}, Client: column(), Server: column(), Protocol: column(), Port: column(), Outcome: column(),
		Reason: column(), Service: column(), Guessed: make([]bool, 0, n), Counts: make([]uint64, 0, 10*n),
	}, map[string]uint32{"": 0}, make(map[flow.Endpoint]uint32, n/4)}
	for _, r := range records {
		t.add(r)
	}
	raw, err := proto.Marshal(t.rows)
	if err != nil {
		return nil, fmt.Errorf("packing rows: %w", err)
	}
	if encoderErr != nil {
		return nil, fmt.Errorf("preparing compression: %w", encoderErr)
	}
	return encoder.EncodeAll(raw, nil), nil
}

func (t *tables) add(r flow.Record) {
	c, e := t.rows, r.Edge
	c.Client = append(c.Client, t.endpoint(e.Client))
	c.Server = append(c.Server, t.endpoint(e.Server))
	c.Protocol = append(c.Protocol, uint32(e.Protocol))
	c.Port = append(c.Port, uint32(e.Port))
	c.Outcome = append(c.Outcome, uint32(e.Outcome))
	c.Reason = append(c.Reason, t.text(e.Reason))
	c.Service = append(c.Service, t.text(e.Service))
	c.Guessed = append(c.Guessed, e.Guessed)
	if e.Probe && len(c.Probe) == 0 {
		c.Probe = make([]bool, len(c.Client)-1, cap(c.Client))
	}
	if len(c.Probe) > 0 || e.Probe {
		c.Probe = append(c.Probe, e.Probe)
	}
	for _, n := range []flow.Counters{r.ByClient, r.ByServer} {
		c.Counts = append(c.Counts, n.Connections, n.BytesSent, n.BytesReceived, n.PacketsSent, n.PacketsReceived)
	}
}

func (t *tables) text(s string) uint32 {
	if s == "" {
		return 0
	}
	i, ok := t.strings[s]
	if !ok {
		i = uint32(len(t.rows.Strings))
		t.strings[s] = i
		t.rows.Strings = append(t.rows.Strings, s)
	}
	return i
}

func (t *tables) endpoint(e flow.Endpoint) uint32 {
	i, ok := t.endpoints[e]
	if !ok {
		i = uint32(len(t.rows.Endpoints))
		t.endpoints[e] = i
		t.rows.Endpoints = append(t.rows.Endpoints, &Endpoint{
			Namespace: t.text(e.Workload.Namespace), Kind: t.text(e.Workload.Kind), Name: t.text(e.Workload.Name),
			Pod: t.text(e.Pod), Ip: e.IP.AsSlice(), Node: t.text(e.Node), Dns: t.text(e.DNS), Process: t.text(e.Process), Elsewhere: t.text(e.Elsewhere),
			Container: t.text(e.Container),
		})
	}
	return i
}

// Decode unpacks what Encode packed and gives each record the window.
func Decode(blob []byte, window flow.Window) ([]flow.Record, error) {
	if decoderErr != nil {
		return nil, fmt.Errorf("preparing decompression: %w", decoderErr)
	}
	raw, err := decoder.DecodeAll(blob, nil)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errDamaged, err)
	}
	var c Rows
	if err := proto.Unmarshal(raw, &c); err != nil {
		return nil, fmt.Errorf("%w: %w", errDamaged, err)
	}
	if err := check(&c); err != nil {
		return nil, err
	}
	endpoints := make([]flow.Endpoint, len(c.Endpoints))
	for i, e := range c.Endpoints {
		endpoints[i] = endpointOf(&c, e)
	}
	records := make([]flow.Record, len(c.Client))
	for i := range records {
		n := c.Counts[10*i:]
		records[i] = flow.Record{
			Window: window,
			Edge: flow.Edge{
				Client: endpoints[c.Client[i]], Server: endpoints[c.Server[i]],
				Protocol: flow.Protocol(c.Protocol[i]), Port: uint16(c.Port[i]), Outcome: flow.Outcome(c.Outcome[i]),
				Reason: c.Strings[c.Reason[i]], Service: c.Strings[c.Service[i]], Guessed: c.Guessed[i],
			},
			ByClient: countersOf(n[:5]), ByServer: countersOf(n[5:10]),
		}
		if len(c.Probe) > 0 {
			records[i].Edge.Probe = c.Probe[i]
		}
	}
	return records, nil
}

func countersOf(n []uint64) flow.Counters {
	return flow.Counters{Connections: n[0], BytesSent: n[1], BytesReceived: n[2], PacketsSent: n[3], PacketsReceived: n[4]}
}

func endpointOf(c *Rows, e *Endpoint) flow.Endpoint {
	ip, _ := netip.AddrFromSlice(e.Ip) // of no bytes: the zero address
	return flow.Endpoint{
		Workload: flow.Workload{Namespace: c.Strings[e.Namespace], Kind: c.Strings[e.Kind], Name: c.Strings[e.Name]},
		Pod:      c.Strings[e.Pod], IP: ip, Node: c.Strings[e.Node], DNS: c.Strings[e.Dns], Process: c.Strings[e.Process],
		Elsewhere: c.Strings[e.Elsewhere], Container: c.Strings[e.Container],
	}
}

// check holds every column and index against the tables, so that a damaged
// blob is an error and never a panic.
func check(c *Rows) error {
	n := len(c.Client)
	for _, length := range []int{len(c.Server), len(c.Protocol), len(c.Port), len(c.Outcome), len(c.Reason), len(c.Service), len(c.Guessed)} {
		if length != n {
			return fmt.Errorf("%w: columns of %d and %d entries", errDamaged, n, length)
		}
	}
	if len(c.Probe) > 0 && len(c.Probe) != n {
		return fmt.Errorf("%w: columns of %d and %d entries", errDamaged, len(c.Probe), n)
	}
	if len(c.Counts) != 10*n {
		return fmt.Errorf("%w: %d counts for %d rows", errDamaged, len(c.Counts), n)
	}
	within := func(size int, columns ...[]uint32) error {
		for _, column := range columns {
			for _, v := range column {
				if int(v) >= size {
					return fmt.Errorf("%w: index %d of %d", errDamaged, v, size)
				}
			}
		}
		return nil
	}
	if err := within(len(c.Endpoints), c.Client, c.Server); err != nil {
		return err
	}
	for _, e := range c.Endpoints {
		indexes := []uint32{e.GetNamespace(), e.GetKind(), e.GetName(), e.GetPod(), e.GetNode(), e.GetDns(), e.GetProcess(), e.GetElsewhere(), e.GetContainer()}
		if err := within(len(c.Strings), indexes); err != nil {
			return err
		}
	}
	return within(len(c.Strings), c.Reason, c.Service)
}
