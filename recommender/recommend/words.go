// SPDX-License-Identifier: Apache-2.0

package recommend

import (
	"maps"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

func upper(s string) string {
	if s == "" {
		return s
	}
	return strings.ToUpper(s[:1]) + s[1:]
}

func appendNew(list []string, text string) []string {
	if slices.Contains(list, text) {
		return list
	}
	return append(list, text)
}

func sortedUnique(list []int32) []int32 {
	slices.Sort(list)
	return slices.Compact(list)
}

func sortedKeys(m map[string]bool) []string { return slices.Sorted(maps.Keys(m)) }

// headComment is what an author wrote above an item of a list.
func headComment(n *yaml.Node) string {
	if n.HeadComment == "" && n.Kind == yaml.MappingNode && len(n.Content) > 0 {
		return n.Content[0].HeadComment
	}
	return n.HeadComment
}

func joinComments(parts ...string) string {
	return strings.Join(slices.DeleteFunc(parts, func(s string) bool { return s == "" }), "\n")
}
