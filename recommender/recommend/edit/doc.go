// SPDX-License-Identifier: Apache-2.0

// Package edit changes a YAML document in the places that change, and leaves
// every other byte as its author wrote it: comments, order, quoting, blank
// lines, line ends.
//
// A Document is parsed to nodes. Callers change lists and fields of the tree;
// Bytes then writes only the lines that the changes touch. Within flow style
// ({…}, […]) the outermost flow value that holds a change is written anew, on
// one line; a JSON document is written anew as JSON. The result is parsed back
// and compared with the tree before it is handed out.
package edit
