// SPDX-License-Identifier: Apache-2.0

package api

import (
	"crypto/rand"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"sync"
)

// What a hub keeps for those that come back, and for one that is slow.
const (
	keptEvents   = 256
	streamBuffer = 64
)

// event is one server-sent event.
type event struct {
	number uint64
	kind   string
	data   []byte
	about  scoped // what of it who may see; nil for those who see everything
}

// scoped is an event that somebody may see in part.
type scoped interface {
	// cluster is the one that it is about.
	cluster() string
	// shown gives what is told of it to whom a part of the cluster is shown; false
	// for nothing.
	shown(part *View) (any, bool)
}

// Hub hands events to every stream that listens. A stream that does not keep
// up is closed; it comes back with the last number that it got.
type Hub struct {
	boot string // tells the numbers of this process from those of another

	mu      sync.Mutex
	last    uint64
	kept    []event
	streams map[chan event]struct{}
	closed  bool
}

func newHub() *Hub {
	return &Hub{boot: rand.Text()[:8], streams: map[chan event]struct{}{}}
}

// Send hands an event to every stream. Data is written as JSON. What is not
// scoped goes to those alone who may see everything.
func (h *Hub) Send(kind string, data any) error {
	text, err := json.Marshal(filled(data))
	if err != nil {
		return fmt.Errorf("writing a %s event: %w", kind, err)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.last++
	about, _ := data.(scoped)
	e := event{number: h.last, kind: kind, data: text, about: about}
	h.kept = append(h.kept, e)
	if len(h.kept) > keptEvents {
		h.kept = h.kept[len(h.kept)-keptEvents:]
	}
	for stream := range h.streams {
		select {
		case stream <- e:
		default:
			delete(h.streams, stream)
			close(stream)
		}
	}
	return nil
}

// Listeners is how many streams there are.
func (h *Hub) Listeners() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.streams)
}

// Close ends all streams, for a graceful stop.
func (h *Hub) Close() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.closed = true
	for stream := range h.streams {
		delete(h.streams, stream)
		close(stream)
	}
}

func (h *Hub) id(n uint64) string { return h.boot + "-" + strconv.FormatUint(n, 10) }

// listen gives what a stream missed since the event of that id, and the
// channel of what comes. complete is false where what it missed is not kept.
func (h *Hub) listen(lastID string) (missed []event, stream chan event, complete bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	stream = make(chan event, streamBuffer)
	if h.closed {
		close(stream)
		return nil, stream, true
	}
	h.streams[stream] = struct{}{}
	boot, number, _ := strings.Cut(lastID, "-")
	n, err := strconv.ParseUint(number, 10, 64)
	if boot != h.boot || err != nil || n > h.last {
		return nil, stream, false
	}
	for _, e := range h.kept {
		if e.number > n {
			missed = append(missed, e)
		}
	}
	return missed, stream, uint64(len(missed)) == h.last-n
}

func (h *Hub) leave(stream chan event) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if _, ok := h.streams[stream]; ok {
		delete(h.streams, stream)
		close(stream)
	}
}
