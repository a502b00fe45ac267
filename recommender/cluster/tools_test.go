// SPDX-License-Identifier: Apache-2.0

package cluster_test

import (
	"net/netip"
	"strings"

	"github.com/google/go-cmp/cmp"

	"github.com/netcinch/netcinch/recommender/flow"
)

var comparers = cmp.Options{
	cmp.Comparer(func(a, b netip.Addr) bool { return a == b }),
	cmp.Comparer(func(a, b netip.Prefix) bool { return a == b }),
}

func addrs(texts ...string) []netip.Addr {
	var list []netip.Addr
	for _, t := range texts {
		list = append(list, netip.MustParseAddr(t))
	}
	return list
}

func prefixes(texts ...string) []netip.Prefix {
	var list []netip.Prefix
	for _, t := range texts {
		list = append(list, netip.MustParsePrefix(t))
	}
	return list
}

func workload(kind, name string) flow.Workload {
	return flow.Workload{Namespace: "x", Kind: kind, Name: name}
}

func replaceAll(text, old, to string) string { return strings.ReplaceAll(text, old, to) }
