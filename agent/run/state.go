// SPDX-License-Identifier: Apache-2.0

//go:build linux

package run

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"time"

	"github.com/netcinch/netcinch/agent/capture"
	"github.com/netcinch/netcinch/agent/export"
	"github.com/netcinch/netcinch/agent/podmap"
	"github.com/netcinch/netcinch/agent/probe"
)

// keeper is a sink that makes windows safe in one step with the state of what
// they were made of, and gives that state to the process that comes after.
type keeper interface {
	State() []byte
	Commit(state []byte) error
}

// lasting is a collector that goes on where one before it ended.
type lasting interface {
	State() capture.State
	Commit()
	Resumed() capture.Resumed
	Pinned() bool
	ForgetOthers() (gone []capture.Slot, interfaces int, err error)
	Remove() error
}

// savedVersion is raised with every change of what is saved.
const savedVersion = 2

// saved is what one observer leaves to the next. Together with the counts that
// stay in the kernel it is all that was seen and not handed over: a packet is
// either in a window that was committed, or in this, or still in the kernel.
type saved struct {
	Version   int            `json:"version"`
	Capture   capture.State  `json:"capture"`
	Slots     []podmap.Saved `json:"slots"`
	Aggregate []byte         `json:"aggregate"`
	Losses    export.Losses  `json:"losses"` // that are not reported yet
}

// recall reads what the observer before has left; nil for nothing. What cannot
// be read is told and done without.
func recall(sink Sink, logger *slog.Logger) *saved {
	k, ok := sink.(keeper)
	if !ok || k.State() == nil {
		return nil
	}
	s := new(saved)
	err := json.Unmarshal(k.State(), s)
	if err == nil && s.Version != savedVersion {
		err = fmt.Errorf("it has version %d, this agent reads %d", s.Version, savedVersion)
	}
	if err != nil {
		logger.Warn("the state of the agent before this one cannot be read: what it counted last is lost", slog.Any("error", err))
		return nil
	}
	return s
}

// restore takes in what was left.
func (o *Observer) restore(s *saved) {
	if o.lasting != nil && o.lasting.Resumed().Uncertain {
		o.lostBefore++
		o.Logger.Warn("counts in the kernel were found without the state that belongs to them: what was read last before the end is lost")
	}
	if s == nil {
		return
	}
	o.unreported = s.Losses
	o.registry.Restore(s.Slots)
	w, err := o.aggregator.Restore(s.Aggregate)
	if err != nil {
		o.lostBefore++
		o.Logger.Warn("the last window of the agent before this one cannot be read and is lost", slog.Any("error", err))
		return
	}
	if !w.Start.IsZero() && w.Start.Before(o.Clock()) {
		o.start, o.end = w.Start, w.End
	}
}

// resume opens the window that was open when the observer before ended, or a
// new one.
func (o *Observer) resume(now time.Time) {
	if o.end.IsZero() {
		o.begin(now)
	}
}

// settle has done with what the observer before watched and this one does not.
func (o *Observer) settle() {
	o.registry.Settle()
	if o.lasting == nil {
		return
	}
	gone, interfaces, err := o.lasting.ForgetOthers()
	if err != nil {
		o.Logger.Warn("detaching from what an agent before this one watched", slog.Any("error", err))
	}
	for _, slot := range gone {
		o.registry.Detach(slot)
	}
	if interfaces > 0 {
		o.lostBefore += uint64(interfaces)
		o.Logger.Warn("interfaces were attached in another mode or by another version of the agent: some of what passed meanwhile is not counted", slog.Int("interfaces", interfaces))
	}
}

// commit makes safe what was read and handed over so far.
func (o *Observer) commit(ctx context.Context) {
	var state capture.State
	if o.lasting != nil {
		state = o.lasting.State()
		defer o.lasting.Commit()
	}
	if o.keeper == nil {
		return
	}
	s := saved{
		Version: savedVersion, Capture: state, Slots: o.registry.Save(), Aggregate: o.aggregator.AppendState(nil),
		Losses: reportable(o.Status()).Since(o.reported).Plus(o.unreported),
	}
	text, err := json.Marshal(s)
	if err == nil {
		err = o.keeper.Commit(text)
	}
	if err == nil {
		o.commitProblem = ""
		return
	}
	if o.commitProblem != err.Error() {
		o.commitProblem = err.Error()
		o.Logger.ErrorContext(ctx, "the agent's state cannot be written: a restart would lose what was counted since the last window", slog.Any("error", err))
	}
}

// goesOn says that what is not handed over now is handed over by the next
// observer.
func (o *Observer) goesOn() bool {
	return o.keeper != nil && o.lasting != nil && o.lasting.Pinned() && !o.UnpinOnExit
}

// closeCollector leaves what is pinned, or takes all of it away.
func (o *Observer) closeCollector() error {
	if o.UnpinOnExit && o.lasting != nil {
		return o.lasting.Remove()
	}
	return o.collector.Close()
}

// attachModes are the names that batches have for the modes.
var attachModes = map[probe.Mode]string{probe.PodTCX: "tcx-pod", probe.HostTCX: "tcx-host", probe.Clsact: "clsact"}
