// SPDX-License-Identifier: Apache-2.0

package main

// fromFiles is what to do where the live demo cannot run.
const fromFiles = "the same page on recorded flows: bin/netcinch serve -f deploy/demo/manifests --flows deploy/demo/sample/flows.jsonl --learning 35s"
