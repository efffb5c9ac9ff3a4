package integration

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/swindon-go/swindon/integration/testkit"
)

// No Docker engine runs where the tests do: what can be known without one is that the compose file, the configuration
// and the repository agree.
func TestComposeFile(t *testing.T) {
	t.Parallel()
	root := testkit.Root()
	var compose struct {
		Services map[string]struct {
			Build   struct{ Context, Dockerfile, Target string }
			Command []string
			Ports   []string
			Volumes []string
		}
	}
	read(t, filepath.Join(root, "docker-compose.yml"), &compose)
	var config struct {
		Listen []string
		Pools  map[string]struct{ Listen []string } `yaml:"session-pools"`
		HTTP   map[string]struct {
			Addresses []string
		} `yaml:"http-destinations"`
		NATS struct{ URL []string }
	}
	read(t, filepath.Join(root, "examples/chat/compose.yaml"), &config)

	docker, err := os.ReadFile(filepath.Join(root, "examples/chat/Dockerfile"))
	if err != nil {
		t.Fatal(err)
	}
	for name, s := range compose.Services {
		if s.Build.Dockerfile != "" && s.Build.Dockerfile != "examples/chat/Dockerfile" {
			t.Errorf("%s is built from %s", name, s.Build.Dockerfile)
		}
		if s.Build.Target != "" && !strings.Contains(string(docker), " AS "+s.Build.Target+"\n") {
			t.Errorf("%s: no target %s in the Dockerfile", name, s.Build.Target)
		}
		for _, v := range s.Volumes {
			if source, _, _ := strings.Cut(v, ":"); strings.HasPrefix(source, ".") {
				if _, err := os.Stat(filepath.Join(root, source)); err != nil {
					t.Errorf("%s mounts what is not there: %v", name, err)
				}
			}
		}
	}
	gateway := compose.Services["swindon"]
	for _, p := range gateway.Ports {
		_, inside, _ := strings.Cut(p, ":")
		if !slices.Contains(config.Listen, "0.0.0.0:"+inside) {
			t.Errorf("port %s is published, but the gateway listens at %v", inside, config.Listen)
		}
	}
	chat := strings.Join(compose.Services["chat"].Command, " ")
	for _, want := range []string{
		"-api http://swindon" + strings.TrimPrefix(config.Pools["main"].Listen[0], "0.0.0.0"),
		"-listen 0.0.0.0" + strings.TrimPrefix(config.HTTP["chat"].Addresses[0], "chat"),
	} {
		if !strings.Contains(chat, want) {
			t.Errorf("the chat backend is started with %q, without %q", chat, want)
		}
	}
	if pizza := compose.Services["pizza"].Command; !slices.Contains(pizza, config.NATS.URL[0]) {
		t.Errorf("the pizza backend is started with %q, NATS is at %v", pizza, config.NATS.URL)
	}
	if out := testkit.Run(t, "--check-config", "--config", filepath.Join(root, "examples/chat/compose.yaml")); out.Code != 0 || out.Stderr != "" {
		t.Errorf("status %d: %s", out.Code, out.Stderr)
	}
}

// The README's configuration is one that swindon takes.
func TestReadmeConfig(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(filepath.Join(testkit.Root(), "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, ok := strings.Cut(string(text), "```yaml\n")
	snippet, _, closed := strings.Cut(rest, "```")
	if !ok || !closed {
		t.Fatal("no configuration in README.md")
	}
	file := testkit.New(t).File("swindon.yaml", snippet)
	if out := testkit.Run(t, "--check-config", "--config", file); out.Code != 0 || out.Stderr != "" {
		t.Errorf("status %d: %s", out.Code, out.Stderr)
	}
}

func read(t *testing.T, file string, into any) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := yaml.Unmarshal(text, into); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
}
