package access

import "net/netip"

// Networks are the named lists of subnets of the configuration. The address part of a subnet is kept as it was written
// (not masked), so that its String is what debug headers show: "127.0.0.1/24". Subnets are matched in order.
type Networks map[string][]netip.Prefix

// SourceIPConfig is a !SourceIp authorizer. The tags are read by internal/config.
type SourceIPConfig struct {
	// AllowedNetwork is the network whose addresses may go on. When no such network is defined, nobody may.
	AllowedNetwork string `config:"allowed-network,req,ident"`
	// ForwardedIPHeader is the header from which the client's address is taken when the peer is trusted; empty: none.
	ForwardedIPHeader string `config:"forwarded-ip-header,opt"`
	// AcceptForwardedHeadersFrom is the network of the trusted peers; empty: none is.
	AcceptForwardedHeadersFrom string `config:"accept-forwarded-headers-from,opt,ident"`
}

// LDAPConfig is an !Ldap authorizer. The tags are read by internal/config.
type LDAPConfig struct {
	// Destination is the name of the ldap destination.
	Destination string `config:"destination,req,ident"`
	// SearchBase is where the user is searched.
	SearchBase string `config:"search-base,req"`
	// LoginAttribute is the attribute that holds the login.
	LoginAttribute string `config:"login-attribute,req"`
	// PasswordAttribute is the attribute that holds the password.
	PasswordAttribute string `config:"password-attribute,req"`
	// LoginHeader is the header in which the backend gets the login; empty: none.
	LoginHeader string `config:"login-header,opt"`
	// AdditionalQueries are further searches; the key is the header in which the backend gets the result.
	AdditionalQueries map[string]LDAPQueryConfig `config:"additional-queries"`
}

// LDAPQueryConfig is one search of an !Ldap authorizer. The tags are read by internal/config.
type LDAPQueryConfig struct {
	// SearchBase is where the entries are searched.
	SearchBase string `config:"search-base,req"`
	// FetchAttribute is the attribute whose values are passed on.
	FetchAttribute string `config:"fetch-attribute,req"`
	// Filter chooses the entries.
	Filter string `config:"filter,req"`
	// DNAttributeStripBase is cut off the end of distinguished names; empty: nothing is.
	DNAttributeStripBase string `config:"dn-attribute-strip-base,opt"`
}

// LDAPDestinationConfig is one entry of ldap-destinations. The tags are read by internal/config.
type LDAPDestinationConfig struct {
	// Addresses of the LDAP servers, each "host:port".
	Addresses []string `config:"addresses,req,addr,atleast=1"`
}
