// SPDX-License-Identifier: Apache-2.0

// Package peer measures another generator of policies on the same flows:
// Inspektor Gadget's network policy advisor. It is a module of its own, so that
// its weight stays out of the product.
package peer
