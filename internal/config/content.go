package config

import (
	"errors"
	"net/url"
	"strconv"
	"strings"

	"github.com/swindon-go/swindon/broker"
	"github.com/swindon-go/swindon/gateway/backend"
	"github.com/swindon-go/swindon/internal/names"
	"github.com/swindon-go/swindon/static"
)

// content checks what the options of the fields cannot tell: rules between the keys of one structure, and the grammar
// of a few texts. config points to the structure that has just been filled from m.
func (d *decoder) content(config any, m map[string]any, n any, path string) {
	switch c := config.(type) {
	case *static.SingleFileConfig:
		for name := range c.ExtraHeaders {
			if strings.EqualFold(name, "Content-Type") {
				d.mismatch(n, path, "Content-Type must be specified as `content-type` parameter rather than in `extra-headers`")
				return
			}
		}
	case *backend.NATSConfig:
		if err := subjectError(c.Subject); err != nil {
			d.mismatch(m["subject"], path+".subject", "invalid subject %q: %s", c.Subject, err)
		}
	case *broker.Config:
		d.nats(c, m, path)
	case *broker.TLSConfig:
		if (c.Cert == "") != (c.Key == "") {
			d.invalid(n, path, "cert and key are expected together")
		}
	}
}

func (d *decoder) nats(c *broker.Config, m map[string]any, path string) {
	if err := prefixError(c.Prefix); err != nil {
		d.mismatch(m["prefix"], path+".prefix", "invalid prefix %q: %s", c.Prefix, err)
	}
	for i, u := range c.URL {
		if err := urlError(u); err != nil {
			d.mismatch(m["url"], path+".url["+strconv.Itoa(i)+"]", "invalid address: %s", err)
		}
	}
	external := len(c.URL) > 0
	for _, k := range []string{"listen", "backend_token", "store_dir", "max_memory", "max_store"} {
		if external && given(m, k) {
			d.invalid(m[k], path+"."+k, "%s is for the embedded server and cannot stand beside url", dashed(k))
		}
	}
	for _, k := range []string{"user", "password", "credentials", "tls", "create_buckets"} {
		if !external && given(m, k) {
			d.invalid(m[k], path+"."+k, "%s is for an external server and needs url", dashed(k))
		}
	}
	if c.Credentials != "" && c.User != "" {
		d.invalid(m["credentials"], path+".credentials", "credentials and user exclude each other")
	}
	if (c.User == "") != (c.Password == "") {
		d.invalid(m["user"], path, "user and password are expected together")
	}
}

// given tells whether a key stands in a file, the environment or the flags with a value, rather than among the
// defaults.
func given(m map[string]any, key string) bool {
	n, ok := m[key]
	return ok && nullOf(n) == notNull && posOf(n) != defaultPos && posOf(n) != Pos{}
}

func dashed(name string) string { return strings.ReplaceAll(name, "_", "-") }

// prefixError tells what is wrong with the prefix of subjects and buckets.
func prefixError(s string) error {
	if strings.Contains(s, "_") {
		return errors.New(`"_" separates the prefix from what follows in bucket names`)
	}
	if _, err := names.NewSpace(s, "x"); err != nil {
		return errors.New(`1 to ` + strconv.Itoa(names.MaxRoot) + ` letters, digits and "-" are expected`)
	}
	return nil
}

// urlError tells what is wrong with the address of a NATS server, without repeating it: it may hold a password.
func urlError(s string) error {
	if !strings.Contains(s, "://") {
		s = "nats://" + s
	}
	u, err := url.Parse(s)
	if err != nil || u.Hostname() == "" {
		return errors.New("nats://HOST:PORT is expected")
	}
	switch u.Scheme {
	case "nats", "tls", "ws", "wss":
		return nil
	}
	return errors.New("the schemes are nats, tls, ws and wss")
}
