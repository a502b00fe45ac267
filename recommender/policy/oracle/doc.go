// SPDX-License-Identifier: Apache-2.0

// Package oracle holds the policy engine against judges that others wrote:
// cyclonus and kube-network-policies. It is a module of its own so that their
// weight stays out of the product, and it has tests only:
//
//	go test ./...           all comparisons
//	go test ./... -update   also rewrites the sample in ../testdata/golden
//
// Every difference must be explained by a named fault of the judge, with the
// words of the specification; see explained_test.go.
package oracle
