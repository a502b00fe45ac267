// SPDX-License-Identifier: Apache-2.0

package foreign

import (
	"encoding/json"
	"fmt"
	"math"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/netcinch/netcinch/recommender/flow"
)

// object is a JSON object whose fields are read one by one.
type object map[string]json.RawMessage

// fieldError is what is wrong with one field.
type fieldError struct{ field, message string }

func (e *fieldError) Error() string { return e.field + ": " + e.message }

func wrong(field, format string, args ...any) error {
	return &fieldError{field, fmt.Sprintf(format, args...)}
}

// has says whether a field is there and is not null.
func (o object) has(name string) bool {
	v, ok := o[name]
	return ok && string(v) != "null"
}

// any gives the first of several names that is there, for formats that spell a
// field in two ways.
func (o object) any(names ...string) string {
	for _, n := range names {
		if o.has(n) {
			return n
		}
	}
	return names[0]
}

// text reads a string; "" where it is absent.
func (o object) text(name string) (string, error) {
	if !o.has(name) {
		return "", nil
	}
	s, ok := plainText(o[name])
	if !ok {
		return "", wrong(name, "want text, got %s", brief(o[name]))
	}
	return s, nil
}

// number reads a whole number, also one that is written as text, as protobuf
// does; 0 where it is absent.
func (o object) number(name string) (uint64, error) {
	if !o.has(name) {
		return 0, nil
	}
	text := strings.Trim(string(o[name]), `"`)
	if n, err := strconv.ParseUint(text, 10, 64); err == nil {
		return n, nil
	}
	f, err := strconv.ParseFloat(text, 64) // 1.7e+09, as some encoders write
	if err != nil || f < 0 || f != math.Trunc(f) || f >= 1<<53 {
		return 0, wrong(name, "want a whole number, not negative, got %s", brief(o[name]))
	}
	return uint64(f), nil
}

func (o object) port(name string) (uint16, error) {
	n, err := o.number(name)
	if err == nil && n > math.MaxUint16 {
		err = wrong(name, "%d is no port; want 0 to 65535", n)
	}
	return uint16(n), err //nolint:gosec // bounded above, where there is no error
}

// flag reads a boolean; known is false where it is absent.
func (o object) flag(name string) (value, known bool, err error) {
	if !o.has(name) {
		return false, false, nil
	}
	switch string(o[name]) {
	case "true":
		return true, true, nil
	case "false":
		return false, true, nil
	}
	return false, false, wrong(name, "want true or false, got %s", brief(o[name]))
}

// object reads an object within; nil where it is absent.
func (o object) object(name string) (object, error) {
	if !o.has(name) {
		return nil, nil //nolint:nilnil // an absent object is an empty one
	}
	inner, ok := split(o[name])
	if !ok {
		return nil, wrong(name, "want an object {…}, got %s", brief(o[name]))
	}
	return inner, nil
}

func (o object) texts(name string) ([]string, error) {
	if !o.has(name) {
		return nil, nil
	}
	var list []string
	if json.Unmarshal(o[name], &list) != nil {
		return nil, wrong(name, "want a list of text, got %s", brief(o[name]))
	}
	return list, nil
}

// addr reads an address; invalid where it is absent or empty.
func (o object) addr(name string) (netip.Addr, error) {
	text, err := o.text(name)
	if err != nil || text == "" || text == "-" {
		return netip.Addr{}, err
	}
	a, perr := netip.ParseAddr(text)
	if perr != nil || a.Zone() != "" {
		return netip.Addr{}, wrong(name, "%q is not an address", text)
	}
	return a.Unmap(), nil
}

// moment reads a time: RFC 3339, or a number of units since 1970.
func (o object) moment(name string, unit time.Duration) (time.Time, error) {
	if !o.has(name) {
		return time.Time{}, wrong(name, "is absent; an event needs its time")
	}
	if text, ok := plainText(o[name]); ok {
		if t, err := time.Parse(time.RFC3339, text); err == nil {
			return t.UTC(), sane(name, t)
		}
	}
	n, err := o.number(name)
	if err != nil || n == 0 || n > math.MaxInt64/uint64(unit) {
		return time.Time{}, wrong(name, "%s is not a time", brief(o[name]))
	}
	t := time.Unix(0, int64(n)*int64(unit)).UTC() //nolint:gosec // bounded above
	return t, sane(name, t)
}

// sane refuses times that a window cannot be made of.
func sane(name string, t time.Time) error {
	if y := t.UTC().Year(); y < 1971 || y > 2200 {
		return wrong(name, "the year %d is out of range", y)
	}
	return nil
}

func brief(v json.RawMessage) string {
	const most = 40
	if r := []rune(string(v)); len(r) > most {
		return string(r[:most]) + "…"
	}
	return string(v)
}

// within says where in an event a field stands that could not be read.
func within(name string, err error) error {
	if fe, ok := err.(*fieldError); ok { //nolint:errorlint // made here, never wrapped
		return &fieldError{name + "." + fe.field, fe.message}
	}
	return err
}

func protocolOf(name, text string) (flow.Protocol, error) {
	p, err := flow.ParseProtocol(text)
	if err != nil {
		return 0, wrong(name, "%q is not a protocol; want TCP, UDP, SCTP, ICMP, ICMPv6 or a number from 1 to 255", text)
	}
	return p, nil
}
