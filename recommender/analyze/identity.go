// SPDX-License-Identifier: Apache-2.0

package analyze

// Identity gives the identity that an edge has by its parties, protocol and
// port; for who changes the parties of a copy.
func (e *Edge) Identity() string {
	return key{client: e.Client, server: e.Server, protocol: e.Number, port: e.Port}.id()
}
