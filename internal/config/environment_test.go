package config

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/swindon-go/swindon/internal/names"
)

func TestEnvironment(t *testing.T) {
	t.Parallel()
	c := mustLoad(t, `
max-connections: 1
server-name: x
listen: [127.0.0.1]
session-pools: {my-pool: }
handlers:
  single: !SingleFile
  st: !Static {path: y, extra-headers: {X-A: b}}
networks: {n: [10.0.0.1]}
`,
		"SWINDON__MAX_CONNECTIONS=2k",
		"SWINDON__SERVER_NAME=null",
		"SWINDON__LISTEN=[10.0.0.1, '10.0.0.2:81']",
		"swindon__Session_Pools__my_POOL__api_tokens=[a]",
		"SWINDON__HANDLERS__SINGLE__PATH=/etc/null: x",
		"SWINDON__HANDLERS__ST__EXTRA_HEADERS__X_A=c",
		"SWINDON__NETWORKS__N=[]",
		"SWINDON__NATS__BACKEND_TOKEN=se=cret",
		"SWINDON__ADMIN__LISTEN=[127.0.0.1:9]",
		"SWINDON__SET_USER=",
	).Config
	sf, _ := c.Handlers["single"].(SingleFileHandler)
	st, _ := c.Handlers["st"].(StaticHandler)
	got := []any{
		c.Edge.MaxConnections, c.Edge.ServerName, c.Edge.Listen, c.SessionPools["my-pool"].APITokens, sf.Path,
		st.ExtraHeaders, len(c.Networks["n"]), c.NATS.BackendToken, c.HasNATS, c.Admin.Listen, st.Path,
	}
	want := []any{
		2000, "",
		[]string{"10.0.0.1:80", "10.0.0.2:81"},
		[]names.Secret{"a"},
		"/etc/null: x",
		map[string]string{"X-A": "c"},
		0, names.Secret("se=cret"), true,
		[]string{"127.0.0.1:9"},
		"y",
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

func TestFlagsWinOverEnvironment(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "main.yaml")
	writeFile(t, file, "max-connections: 1\npipeline-depth: 1\n")
	env := []string{"SWINDON__MAX_CONNECTIONS=2", "SWINDON__PIPELINE_DEPTH=2"}
	l, err := Load(file, env, map[string]string{"max-connections": "3"})
	if err != nil {
		t.Fatal(err)
	}
	if l.Config.Edge.MaxConnections != 3 || l.Config.Edge.PipelineDepth != 2 {
		t.Errorf("%d and %d", l.Config.Edge.MaxConnections, l.Config.Edge.PipelineDepth)
	}
	_, err = Load(file, nil, map[string]string{"max-conections": "3"})
	if err == nil || !strings.Contains(err.Error(), "flag max-conections means no key") {
		t.Errorf("err = %v", err)
	}
}

// A variable that meets a name in a mixin and one in the main file is ambiguous, too.
func TestEnvironmentAmbiguousAcrossFiles(t *testing.T) {
	t.Parallel()
	_, _, err := load(t, map[string]string{
		"main.yaml": "disk-pools: {a_b: {num-threads: 1}}\nmixins: {a-: a.yaml}",
		"a.yaml":    "disk-pools: {a-b: {num-threads: 1}}",
	}, "SWINDON__DISK_POOLS__A_B__NUM_THREADS=2")
	if err == nil || !strings.Contains(err.Error(), "ambiguous, it means .disk_pools.a_b.num_threads and .disk_pools.a-b.num_threads") {
		t.Errorf("err = %v", err)
	}
}
