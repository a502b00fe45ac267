// SPDX-License-Identifier: Apache-2.0

package analyze

import "github.com/netcinch/netcinch/recommender/policy"

// Side gives the verdict at one end in the words of the report, with the file
// and line of each step.
func (x *Index) Side(d policy.DirectionVerdict) Side { return x.side(d) }
