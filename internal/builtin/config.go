package builtin

// EmptyGifConfig is an !EmptyGif handler. The tags are read by internal/config.
type EmptyGifConfig struct {
	// ExtraHeaders are added to the response.
	ExtraHeaders map[string]string `config:"extra-headers"`
}

// SelfStatusConfig is a !SelfStatus handler. The tags are read by internal/config.
type SelfStatusConfig struct {
	// ExtraHeaders are added to the response.
	ExtraHeaders map[string]string `config:"extra-headers"`
}

// BaseRedirectConfig is a !BaseRedirect handler. The tags are read by internal/config.
type BaseRedirectConfig struct {
	// RedirectToDomain is the host of the address to which clients are sent, with a port if one is wanted.
	RedirectToDomain string `config:"redirect-to-domain,req"`
}
