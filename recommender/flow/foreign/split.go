// SPDX-License-Identifier: Apache-2.0

package foreign

import (
	"bytes"
	"encoding/json"
	"strings"
	"unicode/utf8"
)

// split cuts a JSON object into its fields without reading their values. The
// text must be valid JSON; false where it is no object. Of a field that is
// there twice the last counts, as encoding/json has it.
func split(text []byte) (object, bool) {
	if len(text) == 0 || text[0] != '{' {
		return nil, false
	}
	o := make(object, 16)
	for at := skipSpace(text, 1); text[at] != '}'; {
		end := skipString(text, at)
		name, _ := plainText(text[at:end])
		at = skipSpace(text, end) + 1 // behind the colon
		at = skipSpace(text, at)
		end = skipValue(text, at)
		o[name] = text[at:end:end]
		if at = skipSpace(text, end); text[at] == ',' {
			at = skipSpace(text, at+1)
		}
	}
	return o, true
}

// plainText reads a JSON string; false where it is none.
func plainText(raw []byte) (string, bool) {
	if len(raw) < 2 || raw[0] != '"' {
		return "", false
	}
	if inner := raw[1 : len(raw)-1]; bytes.IndexByte(inner, '\\') < 0 {
		if utf8.Valid(inner) {
			return string(inner), true
		}
		return strings.ToValidUTF8(string(inner), "\uFFFD"), true
	}
	var s string
	err := json.Unmarshal(raw, &s)
	return s, err == nil
}

func skipSpace(text []byte, at int) int {
	for text[at] == ' ' || text[at] == '\t' || text[at] == '\n' || text[at] == '\r' {
		at++
	}
	return at
}

// skipString gives the place behind a string that begins at a quote.
func skipString(text []byte, at int) int {
	for at++; text[at] != '"'; at++ {
		if text[at] == '\\' {
			at++
		}
	}
	return at + 1
}

// skipValue gives the place behind a value.
func skipValue(text []byte, at int) int {
	switch text[at] {
	case '"':
		return skipString(text, at)
	case '{', '[':
		for depth := 0; ; {
			switch text[at] {
			case '"':
				at = skipString(text, at)
				continue
			case '{', '[':
				depth++
			case '}', ']':
				if depth--; depth == 0 {
					return at + 1
				}
			}
			at++
		}
	}
	for at < len(text) && strings.IndexByte(",]} \t\r\n", text[at]) < 0 {
		at++
	}
	return at
}
