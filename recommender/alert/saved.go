// SPDX-License-Identifier: Apache-2.0

package alert

import (
	"encoding/json"
	"fmt"
	"hash/fnv"
	"maps"
	"slices"
	"time"

	"github.com/netcinch/netcinch/recommender/store"
)

// The kinds of row that a keeper saves in the register.
const (
	RowAlert    = "alert"
	RowBaseline = "baseline"
	RowLook     = "alert-look" // when somebody looked last
)

const (
	baselinePrefix = "baseline:"
	lookID         = "alert-look"
	lookGrid       = 10 * time.Minute // so that not every look is written
)

// restore takes in one saved row.
func (k *Keeper) restore(row *store.Finding) error {
	if row.Cluster != k.cluster {
		return nil
	}
	switch row.Kind {
	case RowAlert:
		r := &record{}
		if err := json.Unmarshal(row.Detail, r); err != nil {
			return fmt.Errorf("reading alert %s of the register: %w", row.ID, err)
		}
		k.records[row.ID] = r
	case RowBaseline:
		b := &Baseline{}
		if err := json.Unmarshal(row.Detail, b); err != nil {
			return fmt.Errorf("reading the baseline %s of the register: %w", row.ID, err)
		}
		k.baselines[b.Workload] = b
	case RowLook:
		if err := json.Unmarshal(row.Detail, &k.last); err != nil {
			return fmt.Errorf("reading when the alerts were looked at last: %w", err)
		}
	default:
		return nil
	}
	k.saved[row.ID] = sum(row.Detail)
	return nil
}

// Unsaved gives the rows that differ from what was saved. Saved says that they
// are.
func (k *Keeper) Unsaved(now time.Time) ([]store.Finding, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	var rows []store.Finding
	add := func(id, kind, subject string, content any) error {
		detail, err := json.Marshal(content)
		if err != nil {
			return fmt.Errorf("writing %s %s: %w", kind, id, err)
		}
		if have, known := k.saved[id]; known && have == sum(detail) {
			return nil
		}
		if len(detail) > store.MaxDetail {
			return fmt.Errorf("writing %s %s: it has %d bytes, more than the register takes", kind, id, len(detail))
		}
		rows = append(rows, store.Finding{Cluster: k.cluster, ID: id, Kind: kind, Subject: subject, FirstSeen: now, LastSeen: now, Detail: detail})
		return nil
	}
	for _, id := range slices.Sorted(maps.Keys(k.records)) {
		r := k.records[id]
		r.Alert.fit()
		subject := ""
		if len(r.Alert.Workloads) > 0 {
			subject = r.Alert.Workloads[0]
		}
		if err := add(id, RowAlert, subject, r); err != nil {
			return nil, err
		}
	}
	if k.looked {
		if err := add(lookID, RowLook, "", k.last.Truncate(lookGrid)); err != nil {
			return nil, err
		}
	}
	for w, b := range k.baselines {
		if err := add(baselinePrefix+w.Namespace+"/"+w.Kind+"/"+w.Name, RowBaseline, w.String(), b); err != nil {
			return nil, err
		}
	}
	return rows, nil
}

// Saved notes that rows are saved as they were given.
func (k *Keeper) Saved(rows []store.Finding) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for i := range rows {
		k.saved[rows[i].ID] = sum(rows[i].Detail)
	}
}

func sum(text []byte) uint64 {
	h := fnv.New64a()
	_, _ = h.Write(text) // never fails
	return h.Sum64()
}

// mostText bounds the manifests that an alert carries; longer ones are on its
// page only.
const mostText = 12 << 10

// fit takes out of an alert what would not fit into the register.
func (a *Alert) fit() {
	for _, e := range []*Edit{a.Narrowing, a.Accept} {
		if e != nil && len(e.After)+len(e.Diff) > mostText {
			e.After, e.Diff = "", ""
			e.Text += " The manifest is too long to be told; its page has it."
		}
	}
}
