// SPDX-License-Identifier: Apache-2.0

package edit

// flowState follows brackets and quotes of flow style over lines.
type flowState struct {
	depth int
	quote byte // the quote that is open; 0 where none is
}

// line takes a whole line in.
func (s *flowState) line(text string) { s.scan(text, 0) }

// scan takes a line in from a column on. done says that a bracket which was
// open closed for good; end is then the column after it.
func (s *flowState) scan(text string, from int) (end int, done bool) {
	for i := from; i < len(text); i++ {
		c := text[i]
		switch {
		case s.quote == '"' && c == '\\':
			i++
		case s.quote == '\'' && c == '\'' && i+1 < len(text) && text[i+1] == '\'':
			i++
		case s.quote != 0:
			if c == s.quote {
				s.quote = 0
			}
		case c == '#' && (i == 0 || text[i-1] == ' ' || text[i-1] == '\t'):
			return 0, false
		case (c == '"' || c == '\'') && s.opensQuote(text, i):
			s.quote = c
		case (c == '[' || c == '{') && (s.depth > 0 || opens(text, i)):
			s.depth++
		case (c == ']' || c == '}') && s.depth > 0:
			if s.depth--; s.depth == 0 {
				return i + 1, true
			}
		}
	}
	return 0, false
}

// opens says whether a character stands where a value begins.
func opens(text string, i int) bool {
	for i--; i >= 0; i-- {
		switch text[i] {
		case ' ', '\t':
		case ':', '-':
			return true
		default:
			return false
		}
	}
	return true
}

// opensQuote: within plain text a quote is a character like any other.
func (s *flowState) opensQuote(text string, i int) bool {
	if s.depth == 0 {
		return opens(text, i)
	}
	for i--; i >= 0; i-- {
		switch text[i] {
		case ' ', '\t':
		case ':', ',', '[', '{':
			return true
		default:
			return false
		}
	}
	return true
}
