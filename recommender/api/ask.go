// SPDX-License-Identifier: Apache-2.0

package api

import (
	"errors"
	"net/http"

	ask "github.com/netcinch/netcinch/recommender/question" // question is a request of this API
)

// check judges one connection.
func (s *Server) check(w http.ResponseWriter, r *http.Request) error {
	v, _, err := s.view(r)
	if err != nil {
		return err
	}
	var q ask.Question
	if err = decode(w, r, &q); err != nil {
		return err
	}
	answer, err := ask.NewJudge(v.Snapshot, v.Engine).Ask(q)
	if field, ok := errors.AsType[*ask.FieldError](err); ok {
		return wrong(field.Field, "%s.", field.Message)
	}
	if err != nil {
		return err
	}
	return s.json(w, r, answer)
}
