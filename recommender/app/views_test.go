// SPDX-License-Identifier: Apache-2.0

package app

import (
	"context"
	"testing"
	"time"

	"github.com/netcinch/netcinch/recommender/api"
	"github.com/netcinch/netcinch/recommender/cluster"
	"github.com/netcinch/netcinch/recommender/cluster/manifest"
)

const shop = `
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: shop}
spec: {selector: {matchLabels: {app: web}}, template: {metadata: {labels: {app: web}}, spec: {containers: [{name: c}]}}}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: gone, namespace: shop}
spec: {podSelector: {matchLabels: {app: gone}}, ingress: [{ports: [{port: 80}]}]}
`

// Who asks for traffic alone waits for no advice, and who asks for advice gets
// it although a view without it is kept.
func TestTrafficAlone(t *testing.T) {
	snapshot := manifest.LoadText("shop.yaml", []byte(shop), manifest.Options{})
	v := &views{
		options: Options{Now: func() time.Time { return epoch }}.withDefaults(), past: recorded{seen(0, "192.0.2.1"), seen(5, "2001:db8::1")},
		snapshot: func() *cluster.Snapshot { return snapshot }, slots: make(chan struct{}, 1),
	}
	ctx := context.Background()
	if _, _, err := v.renew(ctx); err != nil {
		t.Fatal(err)
	}
	span := api.Span{From: epoch.Add(-time.Hour), To: epoch.Add(2 * time.Hour)}
	of := func(traffic bool) *api.View {
		t.Helper()
		s := span
		s.Traffic = traffic
		got, err := v.of(ctx, s)
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	quick := of(true)
	if len(quick.Recommendations) != 0 || len(quick.Report.Edges) != 1 {
		t.Errorf("traffic alone has %d recommendations and %d edges, want 0 and 1", len(quick.Recommendations), len(quick.Report.Edges))
	}
	full := of(false)
	if len(full.Recommendations) == 0 {
		t.Error("the full view has no recommendation")
	}
	if of(true) != quick && of(true) != full {
		t.Error("traffic alone is computed again although it is kept")
	}
	if of(false) != full {
		t.Error("the full view is computed again although it is kept")
	}
}
