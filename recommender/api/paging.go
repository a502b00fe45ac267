// SPDX-License-Identifier: Apache-2.0

package api

import (
	"encoding/base64"
	"encoding/json"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// list is the body of every list.
type list[T any] struct {
	Meta  meta   `json:"meta"`
	Items []T    `json:"items"`
	Total int    `json:"total"`          // of what was asked for, on all pages
	Next  string `json:"next,omitempty"` // cursor of the next page; empty on the last one
}

// maxLimit is how many items one page has at most.
const maxLimit = 5000

// paging is which part of a list is asked for; a limit of 0 is all of it.
type paging struct {
	limit int
	after cursor
}

// cursor is where a page ends: after how many items, and after which. The name
// finds the place again where the list has changed in between.
type cursor struct {
	Offset int    `json:"o"`
	Last   string `json:"l"`
}

func (c cursor) String() string {
	text, err := json.Marshal(c)
	if err != nil {
		return "" // a number and a string are always written
	}
	return base64.RawURLEncoding.EncodeToString(text)
}

func pagingOf(values url.Values) (paging, error) {
	var p paging
	if text := values.Get("limit"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 || n > maxLimit {
			return p, wrong("limit", "%q is not a number from 1 to %d.", text, maxLimit)
		}
		p.limit = n
	}
	text := values.Get("cursor")
	if text == "" {
		return p, nil
	}
	data, err := base64.RawURLEncoding.DecodeString(text)
	if err == nil {
		err = json.Unmarshal(data, &p.after)
	}
	if err != nil || p.after.Offset < 0 {
		return p, wrong("cursor", "It is not a cursor that a list gave as next; begin again without it.")
	}
	if p.limit == 0 {
		return p, wrong("limit", "A cursor needs the limit that it came with.")
	}
	return p, nil
}

// cut gives the page of the items, and the cursor of the next one.
func cut[T any](p paging, items []T, name func(*T) string) (page []T, next string) {
	if p.limit == 0 {
		return items, ""
	}
	from := min(p.after.Offset, len(items))
	if from > 0 && name(&items[from-1]) != p.after.Last || from < p.after.Offset {
		// The list has changed; go on after the same item, where it still is.
		if at := slices.IndexFunc(items, func(one T) bool { return name(&one) == p.after.Last }); at >= 0 {
			from = at + 1
		}
	}
	to := min(from+p.limit, len(items))
	if to < len(items) {
		next = cursor{Offset: to, Last: name(&items[to-1])}.String()
	}
	return items[from:to], next
}

// paged makes the body of a list.
func paged[T any](v *View, q question, items []T, name func(*T) string) list[T] {
	body := list[T]{Meta: metaOf(v), Total: len(items)}
	body.Items, body.Next = cut(q.paging, items, name)
	return body
}

// search says whether any of the texts has what is looked for, in whatever case.
func search(wanted string, texts ...string) bool {
	if wanted == "" {
		return true
	}
	wanted = strings.ToLower(wanted)
	return slices.ContainsFunc(texts, func(t string) bool { return strings.Contains(strings.ToLower(t), wanted) })
}
