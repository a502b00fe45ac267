// SPDX-License-Identifier: Apache-2.0

// Package config reads the file that says where alerts go: sinks, routes and
// templates.
//
// Its words: a sink is a place that alerts are sent to; a route picks alerts by
// cluster, namespace, kind and severity, and names sinks; a secret is given by
// the file or the environment variable that holds it, never by its value. What
// is wrong is a [Problem] with file, line and field; all of them are reported,
// and nothing of a wrong file is used.
package config
