package access

import (
	"net/http"

	"github.com/swindon-go/swindon/internal/web"
)

// AllowAll lets every request go on and leaves no notes.
type AllowAll struct{}

// Authorize returns 0: go on.
func (AllowAll) Authorize(*http.Request, *web.Record) int { return 0 }

// Unsupported stands for an authorizer that this version cannot run (!Ldap). It never lets a request go on: whoever
// configured a guard must not be left without one.
type Unsupported struct{}

// Authorize returns 501.
func (Unsupported) Authorize(*http.Request, *web.Record) int { return http.StatusNotImplemented }
