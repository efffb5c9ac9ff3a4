package node

import (
	"github.com/swindon-go/swindon/internal/web"
	"net/http"
)

func tmp(code int) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { web.Error(w, r, code) })
}
