// SPDX-License-Identifier: Apache-2.0

// Package calico holds the selector parser against Calico's own. It is a module
// of its own because Calico's needs replacements that no other may inherit.
package calico
