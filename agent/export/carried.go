// SPDX-License-Identifier: Apache-2.0

package export

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"

	"github.com/netcinch/netcinch/recommender/wire"
)

// carriedFile holds, in the form of a spool file, the losses that no batch
// tells of yet: it is written before what was lost is given up, so that a
// process that is killed forgets none. One that is killed between a commit and
// the moment after it may tell of some twice.
const carriedFile = "carried"

// carry lets the next batch report what a lost one would have, and the loss.
func (e *Exporter) carry(body []byte) {
	lost := Losses{SpoolOverflow: 1}
	if b, err := wire.Decode(bytes.NewReader(body)); err == nil {
		lost = lost.Plus(lossesOf(b.GetLosses()))
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.carried = e.carried.Plus(lost)
	e.keepCarried()
}

// takeCarried gives what the next batch reports of others, and keeps it until
// that batch is safe.
func (e *Exporter) takeCarried() Losses {
	e.mu.Lock()
	defer e.mu.Unlock()
	l := e.carried
	e.carried, e.taken = Losses{}, e.taken.Plus(l)
	return l
}

// giveBack takes back what a batch was to report that was not made: its own
// losses and those of others.
func (e *Exporter) giveBack(all, taken Losses) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.carried, e.taken = e.carried.Plus(all).Plus(Losses{SpoolOverflow: 1}), e.taken.Since(taken)
	e.keepCarried()
}

// settleCarried says that the batches that were made are safe.
func (e *Exporter) settleCarried() {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.taken != (Losses{}) {
		e.taken = Losses{}
		e.keepCarried()
	}
}

// keepCarried writes down what no safe batch tells of. The lock is held.
func (e *Exporter) keepCarried() {
	left, path := e.carried.Plus(e.taken), filepath.Join(e.spool.dir, carriedFile)
	var err error
	if left == (Losses{}) {
		if err = os.Remove(path); errors.Is(err, fs.ErrNotExist) {
			err = nil
		}
	} else {
		var text []byte
		if text, err = json.Marshal(left); err == nil {
			err = writeFileWith(e.spool.dir, carriedFile, text, false)
		}
	}
	if err != nil && !e.unkept {
		e.options.Logger.Error("losses that are not reported yet cannot be written down: a restart would forget them", slog.Any("error", err))
	}
	e.unkept = err != nil
}

// findCarried reads what a process before this one did not report.
func (e *Exporter) findCarried() error {
	path := filepath.Join(e.spool.dir, carriedFile)
	file, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("reading the losses that were not reported before the restart: %w", err)
	}
	var left Losses
	text, err := decodeFile(file)
	if err == nil {
		err = json.Unmarshal(text, &left)
	}
	if err != nil {
		e.options.Logger.Error("the losses that were not reported before the restart cannot be read and are set aside: at least one more is counted in their place",
			slog.String("file", path), slog.String("renamed_to", path+asideSuffix), slog.Any("error", err))
		e.spool.counts.damaged++
		left = Losses{SpoolOverflow: 1}
		if err := os.Rename(path, path+asideSuffix); err != nil {
			return fmt.Errorf("setting a damaged file aside: %w", err)
		}
	}
	e.carried = left
	return nil
}
