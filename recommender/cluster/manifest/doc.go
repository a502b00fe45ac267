// SPDX-License-Identifier: Apache-2.0

// Package manifest reads a cluster from files: folders and files of
// Kubernetes manifests, YAML or JSON, become a cluster.Snapshot.
//
// Its words: a file holds documents, a document one object or a List of them.
// What is not understood is a cluster.Problem that names file, line, field and
// what to do; it costs the one object, or the one document, and nothing beside
// it. Watch reads again when files change, and where the new version of a file
// does not parse keeps the objects of the last one that did.
package manifest
