package static

// Config is a !Static handler. The tags are read by internal/config.
type Config struct {
	// Path is the directory that is served.
	Path string `config:"path,req"`
	// Mode says which part of the request is looked up below path.
	Mode Mode `config:"mode,enum=relative_to_domain_root|relative_to_route|with_hostname"`
	// TextCharset is added to the types of texts; null: none.
	TextCharset string `config:"text-charset,opt"`
	// Pool is the disk pool in which file-system work is done; an unknown one means `default`.
	Pool string `config:"pool,ident"`
	// ExtraHeaders are added to every response that is no error page.
	ExtraHeaders map[string]string `config:"extra-headers"`
	// StripHostSuffix is cut, with the dot before it, off the host's end; what is left names the directory. Only with
	// mode with_hostname.
	StripHostSuffix string `config:"strip-host-suffix,opt"`
	// IndexFiles are tried in this order when a directory is asked for.
	IndexFiles []string `config:"index-files"`
	// GenerateIndex makes a listing of a directory without index file.
	GenerateIndex bool `config:"generate-index,later"`
	// GeneratedIndexMaxFiles is the number of entries at which a listing is refused with 403.
	GeneratedIndexMaxFiles int `config:"generated-index-max-files,min=0,later"`
}

// Mode says which part of a request names the file.
type Mode string

// The modes of !Static.
const (
	// ModeDomainRoot looks up the full path of the request.
	ModeDomainRoot Mode = "relative_to_domain_root"
	// ModeRoute looks up what follows the prefix of the route.
	ModeRoute Mode = "relative_to_route"
	// ModeHostname looks up the full path below a directory named after the host.
	ModeHostname Mode = "with_hostname"
)

// DefaultPool is the disk pool that handlers use unless they name another.
const DefaultPool = "default"

// DefaultConfig has every default; Path is empty and must be filled in.
func DefaultConfig() Config {
	return Config{Mode: ModeRoute, TextCharset: "utf-8", Pool: DefaultPool, GeneratedIndexMaxFiles: 100_000}
}

// SingleFileConfig is a !SingleFile handler. The tags are read by internal/config.
type SingleFileConfig struct {
	// Path is the file that is served.
	Path string `config:"path,req"`
	// ContentType is sent as it stands; null: guessed from the file's name.
	ContentType string `config:"content-type,opt"`
	// Pool is the disk pool in which file-system work is done; an unknown one means `default`.
	Pool string `config:"pool,ident"`
	// ExtraHeaders are added to every response that is no error page. Content-Type may not be among them.
	ExtraHeaders map[string]string `config:"extra-headers"`
}

// DefaultSingleFileConfig has every default; Path is empty and must be filled in.
func DefaultSingleFileConfig() SingleFileConfig { return SingleFileConfig{Pool: DefaultPool} }

// VersionedConfig is a !VersionedStatic handler. The tags are read by internal/config.
type VersionedConfig struct {
	// VersionedRoot is the directory of the versioned files.
	VersionedRoot string `config:"versioned-root,req"`
	// PlainRoot is the directory of the files without version; null: there is no plain file.
	PlainRoot string `config:"plain-root,opt"`
	// VersionArg is the query parameter that holds the version.
	VersionArg string `config:"version-arg,req"`
	// VersionSplit are the lengths of the pieces into which the version is cut to make the path.
	VersionSplit []uint32 `config:"version-split"`
	// VersionChars are the characters that a version may have.
	VersionChars VersionChars `config:"version-chars,req,enum=lowercase_hex"`
	// FallbackToPlain says when the plain file is served instead of a versioned one.
	FallbackToPlain Fallback `config:"fallback-to-plain,enum=always|no_file|bad_version|no_version|never"`
	// FallbackMode is how the plain file is found, as mode of !Static.
	FallbackMode Mode `config:"fallback-mode,enum=relative_to_domain_root|relative_to_route|with_hostname"`
	// TextCharset is added to the types of texts; null: none.
	TextCharset string `config:"text-charset,opt"`
	// Pool is the disk pool in which file-system work is done; an unknown one means `default`.
	Pool string `config:"pool,ident"`
	// ExtraHeaders are added to every response that is no error page.
	ExtraHeaders map[string]string `config:"extra-headers"`
	// StripHostSuffix is accepted and has no effect.
	StripHostSuffix string `config:"strip-host-suffix,opt"`
}

// VersionChars is the alphabet of versions.
type VersionChars string

// VersionCharsLowercaseHex is the only alphabet; digits and all lower-case letters pass, despite its name.
const VersionCharsLowercaseHex VersionChars = "lowercase_hex"

// Fallback says when !VersionedStatic serves the plain file.
type Fallback string

// The fallbacks of !VersionedStatic, from the most to the least generous.
const (
	FallbackAlways     Fallback = "always"
	FallbackNoFile     Fallback = "no_file"
	FallbackBadVersion Fallback = "bad_version"
	FallbackNoVersion  Fallback = "no_version"
	FallbackNever      Fallback = "never"
)

// DefaultVersionedConfig has every default; VersionedRoot, VersionArg and VersionChars must be filled in.
func DefaultVersionedConfig() VersionedConfig {
	return VersionedConfig{
		FallbackToPlain: FallbackNever, FallbackMode: ModeRoute, TextCharset: "utf-8", Pool: DefaultPool,
	}
}

// DiskPoolConfig is one entry of disk-pools. The tags are read by internal/config.
type DiskPoolConfig struct {
	// NumThreads is how much file-system work goes on at the same time.
	NumThreads int `config:"num-threads,req,min=1"`
}

// DefaultDiskPoolConfig is the pool named `default` when the configuration does not define it.
func DefaultDiskPoolConfig() DiskPoolConfig { return DiskPoolConfig{NumThreads: 40} }
