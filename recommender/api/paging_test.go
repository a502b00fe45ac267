// SPDX-License-Identifier: Apache-2.0

package api_test

import (
	"fmt"
	"net/url"
	"testing"
)

type pageOf struct {
	Items []struct{ ID, Kind string }
	Total int
	Next  string
}

func TestPagesMakeUpTheList(t *testing.T) {
	s := newSource()
	c := newContract(t, serve(t, s))
	for _, list := range []string{"workloads", "edges", "policies", "findings", "alerts", "recommendations"} {
		path := "/api/v1/" + list
		whole := into[pageOf](t, c.do(ask{method: "GET", path: path, status: 200}))
		if whole.Next != "" || whole.Total != len(whole.Items) || whole.Total < 2 {
			t.Errorf("%s: all at once gives %d of %d items, next %q", list, len(whole.Items), whole.Total, whole.Next)
		}
		var got []string
		for query := "?limit=1"; query != ""; {
			page := into[pageOf](t, c.do(ask{method: "GET", path: path + query, status: 200}))
			if len(page.Items) != 1 || page.Total != whole.Total {
				t.Fatalf("%s%s: %d items, total %d; want 1 of %d", list, query, len(page.Items), page.Total, whole.Total)
			}
			got = append(got, page.Items[0].ID)
			query = ""
			if page.Next != "" {
				query = "?limit=1&cursor=" + url.QueryEscape(page.Next)
			}
		}
		for i, one := range whole.Items {
			if i >= len(got) || got[i] != one.ID {
				t.Fatalf("%s: page by page %v, want %v", list, got, whole.Items)
			}
		}
	}
}

// A list that changes between two pages goes on after the same item.
func TestPagesOfAChangingList(t *testing.T) {
	s := newSource()
	c := newContract(t, serve(t, s))
	whole := into[pageOf](t, c.do(ask{method: "GET", path: "/api/v1/policies", status: 200}))
	first := into[pageOf](t, c.do(ask{method: "GET", path: "/api/v1/policies?limit=1", status: 200}))
	s.text += "\n---\napiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: aaa, namespace: data}\nspec: {podSelector: {}}\n"
	s.views = nil
	second := into[pageOf](t, c.do(ask{method: "GET", path: "/api/v1/policies?limit=1&cursor=" + url.QueryEscape(first.Next), status: 200}))
	if second.Total != whole.Total+1 || second.Items[0].ID != whole.Items[1].ID {
		t.Errorf("the second page is %+v, want %s of %d", second, whole.Items[1].ID, whole.Total+1)
	}
}

func TestFindingsByKind(t *testing.T) {
	c := newContract(t, serve(t, newSource()))
	type counted struct {
		pageOf
		Counts map[string]int
	}
	all := into[counted](t, c.do(ask{method: "GET", path: "/api/v1/findings", status: 200}))
	sum := 0
	for kind, n := range all.Counts {
		sum += n
		one := into[counted](t, c.do(ask{method: "GET", path: "/api/v1/findings?kind=" + kind, status: 200}))
		if one.Total != n || len(one.Items) != n || one.Items[0].Kind != kind || fmt.Sprint(one.Counts) != fmt.Sprint(all.Counts) {
			t.Errorf("kind %s: %d items, counts %v; want %d and %v", kind, len(one.Items), one.Counts, n, all.Counts)
		}
	}
	if sum != all.Total || len(all.Counts) < 3 {
		t.Errorf("counts %v of %d findings", all.Counts, all.Total)
	}
}

func TestSearchAndBrief(t *testing.T) {
	c := newContract(t, serve(t, newSource()))
	for path, want := range map[string]int{"/api/v1/policies?q=NOBODY": 1, "/api/v1/policies?q=nothing-like-it": 0, "/api/v1/recommendations?q=data/db": 2} {
		got := into[pageOf](t, c.do(ask{method: "GET", path: path, status: 200}))
		if (got.Total == 0) != (want == 0) {
			t.Errorf("%s: %d items, want %d", path, got.Total, want)
		}
	}
	for _, list := range []string{"policies", "recommendations"} {
		full := c.do(ask{method: "GET", path: "/api/v1/" + list, status: 200})
		brief := c.do(ask{method: "GET", path: "/api/v1/" + list + "?brief=true", status: 200})
		if len(brief)*2 > len(full) {
			t.Errorf("%s: %d bytes in brief, %d in full", list, len(brief), len(full))
		}
		for _, one := range into[items](t, full).Items {
			id := one["id"].(string)
			got := into[items](t, c.do(ask{method: "GET", path: "/api/v1/" + list + "?id=" + url.QueryEscape(id), status: 200})).Items
			if len(got) != 1 || fmt.Sprint(got[0]) != fmt.Sprint(one) {
				t.Errorf("%s by id %s: %v, want %v", list, id, got, one)
			}
		}
	}
}
