// Package session signs and reads the example's session cookie, so that each of the stateless chat backends accepts
// what another one has issued.
package session

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"net/http"
	"strings"
)

// Cookie is the name of the cookie.
const Cookie = "chat_session"

// MaxName is the longest name a user may choose, in bytes.
const MaxName = 24

var (
	// ErrName says that a name cannot be a user id.
	ErrName = errors.New("a name has 1 to 24 letters, digits, dashes or underscores")
	// ErrCookie says that a cookie is absent or was not signed by us.
	ErrCookie = errors.New("not signed in")
)

// Keeper signs with one secret that all backends share.
type Keeper struct{ secret []byte }

// NewKeeper returns a Keeper. The secret must be the same for all backends and known to nobody else.
func NewKeeper(secret string) *Keeper { return &Keeper{secret: []byte(secret)} }

// CheckName tells whether a name may be a user id.
func CheckName(name string) error {
	if name == "" || len(name) > MaxName {
		return ErrName
	}
	for _, c := range []byte(name) {
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '-' && c != '_' {
			return ErrName
		}
	}
	return nil
}

// Issue returns the cookie of a user. An empty name returns the cookie that signs out.
func (k *Keeper) Issue(name string) *http.Cookie {
	c := &http.Cookie{Name: Cookie, Path: "/", HttpOnly: true, SameSite: http.SameSiteLaxMode}
	if name == "" {
		c.MaxAge = -1
		return c
	}
	c.Value = name + "." + k.sign(name)
	return c
}

// User returns the user of a Cookie header, as it comes in a request or in the authorization call.
func (k *Keeper) User(header string) (string, error) {
	// A request's own parser: it passes over cookies of others that are malformed.
	r := http.Request{Header: http.Header{"Cookie": {header}}}
	for _, c := range r.CookiesNamed(Cookie) {
		name, sum, ok := strings.Cut(c.Value, ".")
		if ok && CheckName(name) == nil && hmac.Equal([]byte(sum), []byte(k.sign(name))) {
			return name, nil
		}
	}
	return "", ErrCookie
}

func (k *Keeper) sign(name string) string {
	m := hmac.New(sha256.New, k.secret)
	m.Write([]byte(name))
	return base64.RawURLEncoding.EncodeToString(m.Sum(nil))
}
