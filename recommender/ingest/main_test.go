// SPDX-License-Identifier: Apache-2.0

package ingest

import (
	"fmt"
	"os"
	"testing"

	"github.com/netcinch/netcinch/recommender/wire"
)

// TestMain packs a batch before any test: what the packing keeps must not
// belong to the bubble (testing/synctest) of whichever test packs first.
func TestMain(m *testing.M) {
	if _, err := wire.Encode(wire.NewBuilder(header).Batch()); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(m.Run())
}
