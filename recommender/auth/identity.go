// SPDX-License-Identifier: Apache-2.0

package auth

import (
	"crypto/sha256"
	"encoding/json"
	"strings"
	"time"
)

// What the API server says of a ServiceAccount's token beside its name.
const (
	extraNode   = "authentication.kubernetes.io/node-name"
	extraPod    = "authentication.kubernetes.io/pod-name"
	extraPodUID = "authentication.kubernetes.io/pod-uid"

	accountPrefix = "system:serviceaccount:"
)

// Identity is who a token belongs to, as the API server says.
type Identity struct {
	User    string
	UID     string
	Groups  []string
	Extra   map[string][]string
	Expires time.Time // when the token ends; zero where it does not say
}

// Account gives namespace and name of the ServiceAccount; false for anyone else.
func (i Identity) Account() (namespace, name string, ok bool) {
	rest, ok := strings.CutPrefix(i.User, accountPrefix)
	if !ok {
		return "", "", false
	}
	namespace, name, ok = strings.Cut(rest, ":")
	return namespace, name, ok && namespace != "" && name != ""
}

// Node is the node of the pod that the token is bound to; empty where the
// token is bound to none, or the API server is older than 1.30.
func (i Identity) Node() string { return i.one(extraNode) }

// Pod is the pod that the token is bound to; empty where it is bound to none.
func (i Identity) Pod() (name, uid string) { return i.one(extraPod), i.one(extraPodUID) }

// one gives what there must be one of: a list of several says nothing for certain.
func (i Identity) one(key string) string {
	if list := i.Extra[key]; len(list) == 1 {
		return list[0]
	}
	return ""
}

// key tells identities apart that the API server may judge differently.
func (i Identity) key() [sha256.Size]byte {
	i.Expires = time.Time{}
	text, err := json.Marshal(i) // map keys are sorted
	if err != nil {
		panic(err) // texts alone: cannot be
	}
	return sha256.Sum256(text)
}
