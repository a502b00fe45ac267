// SPDX-License-Identifier: Apache-2.0

package app

import (
	"errors"
	"fmt"
	"os"

	"github.com/netcinch/netcinch/recommender/cluster"
	"github.com/netcinch/netcinch/recommender/flow/jsonl"
)

// readFlows reads flow files, and completes by the cluster's addresses what
// they leave open. Fields that nobody knows come back as Problems; a line that
// cannot be read is an error that names it.
func readFlows(paths []string, history *cluster.History) (recorded, []cluster.Problem, error) {
	var all recorded
	var problems []cluster.Problem
	for _, path := range paths {
		f, err := os.Open(path)
		if err != nil {
			return nil, nil, fmt.Errorf("reading flows: %s: %w", path, cause(err))
		}
		if info, statErr := f.Stat(); statErr == nil && info.IsDir() {
			return nil, nil, errors.Join(fmt.Errorf("reading flows: %s is a folder; give the file in it", path), f.Close())
		}
		records, unknown, err := jsonl.ReadAll(f, path)
		if closing := f.Close(); err == nil {
			err = closing
		}
		if err != nil {
			return nil, nil, fmt.Errorf("reading flows: %w", err)
		}
		for _, u := range unknown {
			problems = append(problems, cluster.Problem{
				File: path, Field: u.Name, Message: fmt.Sprintf("not a field of netcinch.flow/v1; passed over in %d lines", u.Lines),
			})
		}
		for i := range records {
			all = append(all, history.Attribute(records[i]))
		}
	}
	return all, problems, nil
}
