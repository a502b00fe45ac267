// SPDX-License-Identifier: Apache-2.0

//go:build linux

package probe

import (
	"errors"
	"sync"

	"github.com/cilium/ebpf"
)

// pooled is how many pairs of programs are loaded ahead of the interfaces that
// they are for.
const pooled = 8

// pair is the program of one slot for both directions.
type pair struct {
	Ingress *ebpf.Program `ebpf:"flow_ingress"`
	Egress  *ebpf.Program `ebpf:"flow_egress"`
	v       variables
}

func (p *pair) close() error { return errors.Join(p.Ingress.Close(), p.Egress.Close()) }

func (p *pair) of(d Direction) *ebpf.Program {
	if d == Ingress {
		return p.Ingress
	}
	return p.Egress
}

// pool loads programs ahead, because to load one takes longer than a pod may
// take from its interface to its first packet.
type pool struct {
	load  func(variables) (*pair, error)
	slot  func() (uint32, error) // takes a new one
	ready chan *pair

	mu     sync.Mutex
	netns  int32 // conntrack's, as it was last: pods of one node have the same
	stop   chan struct{}
	filler sync.WaitGroup
}

func newPool(load func(variables) (*pair, error), slot func() (uint32, error)) *pool {
	return &pool{load: load, slot: slot, ready: make(chan *pair, pooled-1)} // the filler holds one more
}

// take gives programs of a new slot.
func (p *pool) take(netns int32) (*pair, error) {
	p.start(netns)
	var ahead *pair
	select {
	case ahead = <-p.ready:
	default:
		slot, err := p.slot()
		if err != nil {
			return nil, err
		}
		return p.load(variables{slot: slot, conntrackNetNS: netns})
	}
	if ahead.v.conntrackNetNS == netns {
		return ahead, nil
	}
	v := ahead.v
	v.conntrackNetNS = netns
	return p.instead(ahead, v)
}

// instead loads other programs for the slot.
func (p *pool) instead(ahead *pair, v variables) (*pair, error) {
	other, err := p.load(v)
	return other, errors.Join(err, ahead.close())
}

// start has the pool filled from the first attachment on.
func (p *pool) start(netns int32) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.netns = netns
	if p.stop != nil {
		return
	}
	stop := make(chan struct{})
	p.stop = stop
	p.filler.Go(func() { p.fill(stop) })
}

func (p *pool) fill(stop chan struct{}) {
	for {
		next, err := p.next()
		if err != nil {
			return // the one who needs it meets the same error, and tells it
		}
		select {
		case p.ready <- next:
		case <-stop:
			_ = next.close() // was never attached
			return
		}
	}
}

func (p *pool) next() (*pair, error) {
	slot, err := p.slot()
	if err != nil {
		return nil, err
	}
	p.mu.Lock()
	v := variables{slot: slot, conntrackNetNS: p.netns}
	p.mu.Unlock()
	return p.load(v)
}

// close lets go of what was loaded ahead.
func (p *pool) close() error {
	p.mu.Lock()
	if p.stop != nil {
		close(p.stop)
	}
	p.mu.Unlock()
	p.filler.Wait()
	var errs []error
	for {
		select {
		case ahead := <-p.ready:
			errs = append(errs, ahead.close())
		default:
			return errors.Join(errs...)
		}
	}
}
