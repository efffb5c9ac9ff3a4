package config

import (
	"reflect"
)

// RestartOnly returns the keys that differ between two configurations and that take effect at the next start only
// (decision D40): "nats.listen", "set-user" ….
func RestartOnly(running, loaded *Config) (keys []string) {
	diff := func(prefix string, a, b reflect.Value) {
		for _, f := range fieldsOf(a.Type()) {
			if !reflect.DeepEqual(a.FieldByIndex(f.index).Interface(), b.FieldByIndex(f.index).Interface()) {
				keys = append(keys, prefix+f.key)
			}
		}
	}
	diff("nats.", reflect.ValueOf(running.NATS), reflect.ValueOf(loaded.NATS))
	if len(keys) == 0 && loaded.NeedsNATS() && !running.NeedsNATS() {
		keys = append(keys, "nats") // the first session pool: no NATS server runs for it
	}
	diff("replication.", reflect.ValueOf(running.Replication), reflect.ValueOf(loaded.Replication))
	if running.LogFormat != loaded.LogFormat {
		keys = append(keys, "log-format") // the logger is made before the node
	}
	if running.SetUser != loaded.SetUser {
		keys = append(keys, "set-user")
	}
	if running.SetGroup != loaded.SetGroup {
		keys = append(keys, "set-group")
	}
	return keys
}

// Equal tells whether two configurations mean the same: files may differ in comments, order and spelling.
func Equal(a, b *Config) bool { return reflect.DeepEqual(a, b) }
