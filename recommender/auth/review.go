// SPDX-License-Identifier: Apache-2.0

package auth

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"golang.org/x/sync/singleflight"
	authenticationv1 "k8s.io/api/authentication/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// ErrRefused says that the API server does not take the token. Any other error
// of a review means that it could not be asked.
var ErrRefused = errors.New("the API server does not take the token")

// ErrTooMany says that too many wrong tokens came from where this one does.
var ErrTooMany = errors.New("too many tokens that are not taken came from there; wait a moment")

// TokenReviews is the part of a client that a Reviewer needs:
// clientset.AuthenticationV1().TokenReviews().
type TokenReviews interface {
	Create(ctx context.Context, review *authenticationv1.TokenReview, o metav1.CreateOptions) (*authenticationv1.TokenReview, error)
}

// For how long answers are kept, how many, and how long one may take.
const (
	keepTaken    = time.Minute
	keepRefused  = 10 * time.Second
	mostReviews  = 20_000
	reviewWithin = 10 * time.Second
	maxToken     = 64 << 10 // bytes of a token that is looked at

	// Wrong tokens from one address: so many a second, and so many at once. One
	// that is known to be right is taken however many wrong ones come.
	wrongEach  = 1
	wrongBurst = 20
)

type remoteKey struct{}

// WithRemote notes from where (host:port) the token comes that a context goes with.
func WithRemote(ctx context.Context, remote string) context.Context {
	return context.WithValue(ctx, remoteKey{}, HostOf(remote))
}

// Reviewer asks the API server whose a token is. A token that was taken is
// believed for a minute at most, and never after its end; what the API server
// withdrew earlier (a deleted pod's token) is known within that minute.
type Reviewer struct {
	client  TokenReviews
	now     func() time.Time
	asked   singleflight.Group
	answers *cache[[sha256.Size]byte, answer]
	wrong   *Limits // by address
}

type answer struct {
	identity Identity
	refused  string // why; empty where it was taken
}

// NewReviewer gives a reviewer.
func NewReviewer(client TokenReviews, now func() time.Time) *Reviewer {
	return &Reviewer{client: client, now: now, answers: newCache[[sha256.Size]byte, answer](mostReviews), wrong: NewLimits(wrongEach, wrongBurst, now)}
}

// Review says whose a token is. With an audience the token must have been
// issued for it; without, for the API server itself. The error is ErrRefused
// where the token is not taken.
func (r *Reviewer) Review(ctx context.Context, token, audience string) (Identity, error) {
	if token == "" || len(token) > maxToken {
		return Identity{}, ErrRefused
	}
	now, key := r.now(), sha256.Sum256([]byte(audience+"\x00"+token))
	if a, ok := r.answers.get(key, now); ok {
		return a.result()
	}
	remote, _ := ctx.Value(remoteKey{}).(string)
	if r.wrong.Exhausted(remote) {
		return Identity{}, ErrTooMany
	}
	if expires := claimsOf(token).expires; !expires.IsZero() && !now.Before(expires) {
		return Identity{}, fmt.Errorf("%w: it ended at %s", ErrRefused, expires.UTC().Format(time.RFC3339))
	}
	done := r.asked.DoChan(string(key[:]), func() (any, error) {
		// Others wait for it, too: whoever asked first may go away.
		within, cancel := context.WithTimeout(context.WithoutCancel(ctx), reviewWithin)
		defer cancel()
		return r.ask(within, token, audience)
	})
	select {
	case <-ctx.Done():
		return Identity{}, fmt.Errorf("asking the API server about a token: %w", ctx.Err())
	case result := <-done:
		if result.Err != nil {
			return Identity{}, result.Err
		}
		a, ok := result.Val.(answer)
		if !ok {
			return Identity{}, fmt.Errorf("asking the API server about a token: got %T", result.Val)
		}
		r.keep(key, a)
		if a.refused != "" && remote != "" {
			r.wrong.Allow(remote)
		}
		return a.result()
	}
}

func (a answer) result() (Identity, error) {
	if a.refused != "" {
		return Identity{}, fmt.Errorf("%w: %s", ErrRefused, a.refused)
	}
	return a.identity, nil
}

func (r *Reviewer) ask(ctx context.Context, token, audience string) (answer, error) {
	review := &authenticationv1.TokenReview{Spec: authenticationv1.TokenReviewSpec{Token: token}}
	if audience != "" {
		review.Spec.Audiences = []string{audience}
	}
	got, err := r.client.Create(ctx, review, metav1.CreateOptions{})
	if err != nil {
		// The API server's words may quote the request: not the token, not a word of it.
		return answer{}, fmt.Errorf("asking the API server about a token: %w", withoutObject(err))
	}
	s := &got.Status
	switch {
	case !s.Authenticated:
		return answer{refused: "it is not valid, or not any more"}, nil
	case audience != "" && !slices.Contains(s.Audiences, audience):
		// An API server that does not know audiences says none: then nobody
		// checked, and a token for something else would pass.
		return answer{refused: fmt.Sprintf("it is not for the audience %q", audience)}, nil
	case s.User.Username == "":
		return answer{refused: "it belongs to nobody"}, nil
	}
	i := Identity{User: s.User.Username, UID: s.User.UID, Groups: slices.Clone(s.User.Groups), Extra: map[string][]string{}, Expires: claimsOf(token).expires}
	for key, values := range maps.All(s.User.Extra) {
		i.Extra[key] = slices.Clone(values)
	}
	return answer{identity: i}, nil
}

func (r *Reviewer) keep(key [sha256.Size]byte, a answer) {
	now := r.now()
	until := now.Add(keepTaken)
	if a.refused != "" {
		until = now.Add(keepRefused)
	} else if e := a.identity.Expires; !e.IsZero() && e.Before(until) {
		until = e
	}
	r.answers.put(key, a, now, until)
}

// withoutObject keeps of an API server's error what kind it is.
func withoutObject(err error) error {
	if status, ok := errors.AsType[interface {
		error
		Status() metav1.Status
	}](err); ok {
		s := status.Status()
		return fmt.Errorf("it answers %d %s", s.Code, s.Reason)
	}
	return err
}

// Person says whose a token is that somebody shows who is no agent: one issued
// for the audience, or for the API server itself, as in a kubeconfig.
func (r *Reviewer) Person(ctx context.Context, token, audience string) (Identity, error) {
	if slices.Contains(claimsOf(token).audiences, audience) {
		return r.Review(ctx, token, audience)
	}
	return r.Review(ctx, token, "")
}
